/** The log-in that an API wants before it does what was asked (RFC 9470 §3). */
export interface StepUp {
  /** Seconds since it, at most; undefined where any is new enough, or where CORS hides it. */
  readonly maxAge: number | undefined;
  /** The classes that are enough; empty where any is, or where CORS hides them. */
  readonly acr: readonly string[];
}

/**
 * Tells whether an API answered that its caller must log in anew: ask for the
 * password, call login(), and send the request again. A refresh does not help,
 * and none is made. Undefined for any other answer, whose body is still unread.
 */
export async function stepUp(response: Response): Promise<StepUp | undefined> {
  const name = "insufficient_user_authentication";
  if (response.status !== 401) return undefined;
  const challenge = response.headers.get("WWW-Authenticate") ?? "";
  const parameter = (of: string) => new RegExp(`[ ,]${of}="?([^",]*)`, "i").exec(challenge)?.[1];
  if (parameter("error") !== name) {
    if (challenge || !response.headers.get("Content-Type")?.startsWith("application/problem+json")) return undefined;
    const body = (await response.clone().json().catch(() => null)) as { code?: unknown } | null;
    if (body?.code !== name) return undefined;
  }
  const age = parameter("max_age") ?? "";
  return { maxAge: /^\d{1,10}$/.test(age) ? Number(age) : undefined, acr: parameter("acr_values")?.split(" ").filter(Boolean) ?? [] };
}
