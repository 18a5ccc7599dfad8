import { Denied, type StepUp } from "./errors.js";
import { isObject } from "./json.js";
import { loginAge, type Token } from "./token.js";

/** What a token must have; several members of one rule must all hold. */
export interface Rule {
  readonly scope?: string;
  readonly role?: string;
  /** Seconds: the holder logged in so long ago at most, by "auth_time" (RFC 9470 §3). A refresh is no log-in. */
  readonly maxAge?: number;
  /** The class of the log-in, "acr": this one, or one of these, the preferred one first. */
  readonly acr?: string | readonly string[];
  /** A method of the log-in, among "amr" (RFC 8176). */
  readonly amr?: string;
  readonly all?: readonly Rule[];
  readonly any?: readonly Rule[];
}

type Demand = (token: Token) => Denied | undefined;

/** Compiles a rule; throws for one that is none, so that a misspelt rule does not let everybody pass. */
export function compile(rule: Rule): Demand {
  if (!isObject(rule)) throw new Error("a rule is an object such as {scope: …} or {role: …}");
  return Object.keys(rule).length === 0 ? () => undefined : all(read(rule)).ask;
}

interface Part {
  text: string;
  ask: Demand;
}

function read(rule: unknown): Part[] {
  if (!isObject(rule)) throw new Error("a rule is an object such as {scope: …} or {role: …}");
  const parts = Object.entries(rule).map(([name, value]: [string, unknown]): Part => {
    switch (name) {
      case "scope": // a scope-token of RFC 6749 §3.3
        if (typeof value !== "string" || !/^[!#-[\]-~]+$/.test(value)) throw new Error(`a rule's scope must be one scope, not ${JSON.stringify(value)}`);
        return part(`scope ${value}`, value, (token) => token.scopes.includes(value));
      case "role":
        if (typeof value !== "string" || value === "") throw new Error(`a rule's role must be one role, not ${JSON.stringify(value)}`);
        return part(`role ${value}`, "", (token) => token.roles.includes(value));
      case "maxAge":
        if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) throw new Error(`a rule's maxAge must be whole seconds, not ${JSON.stringify(value)}`);
        return part(`log-in within ${value} s`, "", (token) => (loginAge(token) ?? Infinity) <= value, { maxAge: value });
      case "acr": {
        const values: unknown[] = Array.isArray(value) ? [...(value as unknown[])] : [value];
        if (values.length === 0 || !values.every((v): v is string => typeof v === "string" && /^[!#-[\]-~]+$/.test(v))) throw new Error(`a rule's acr must be values of it, not ${JSON.stringify(value)}`);
        return part(`acr ${values.join(" ")}`, "", (token) => token.acr !== undefined && values.includes(token.acr), { acr: values });
      }
      case "amr":
        if (typeof value !== "string" || value === "") throw new Error(`a rule's amr must be one method, not ${JSON.stringify(value)}`);
        return part(`amr ${value}`, "", (token) => token.amr.includes(value), {});
      case "all":
      case "any": {
        if (!Array.isArray(value) || value.length === 0) throw new Error(`a rule's ${name} must be rules`);
        const rules = value.map((one) => all(read(one)));
        return name === "all" ? all(rules) : any(rules);
      }
      default:
        throw new Error(`a rule has scope, role, maxAge, acr, amr, all or any, not ${JSON.stringify(name)}`);
    }
  });
  if (parts.length === 0) throw new Error("a rule within a rule demands nothing");
  return parts;
}

const part = (text: string, scope: string, holds: (token: Token) => boolean, stepUp?: StepUp): Part =>
  ({ text, ask: (token) => (holds(token) ? undefined : new Denied(text, scope, stepUp)) });

const join = (parts: Part[], word: string) => parts.map((p) => (p.text.includes(" and ") || p.text.includes(" or ") ? `(${p.text})` : p.text)).join(word);

function all(parts: Part[]): Part {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  return {
    text: join(parts, " and "),
    ask: (token) => {
      const denials = parts.map((p) => p.ask(token)).filter((d) => d !== undefined);
      const first = denials.find((d) => !d.stepUp) ?? denials[0]; // what no log-in mends is told first
      // Scopes, or a log-in, are told only where they alone would be enough.
      return first && new Denied(first.rule, denials.every((d) => d.scope) ? denials.map((d) => d.scope).join(" ") : "", denials.map((d) => d.stepUp).reduce(both));
    },
  };
}

function any(parts: Part[]): Part {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  const text = join(parts, " or ");
  return {
    text,
    ask: (token) => {
      const denials = parts.map((p) => p.ask(token));
      return denials.includes(undefined) ? undefined : new Denied(text, denials.find((d) => d?.scope)?.scope ?? "", denials.find((d) => d?.stepUp)?.stepUp);
    },
  };
}

// both is the log-in that is enough for one and the other, if any is.
function both(one: StepUp | undefined, other: StepUp | undefined): StepUp | undefined {
  if (!one || !other) return undefined;
  const maxAge = Math.min(one.maxAge ?? Infinity, other.maxAge ?? Infinity);
  const acr = one.acr && other.acr ? one.acr.filter((v) => other.acr?.includes(v)) : (one.acr ?? other.acr);
  return acr?.length === 0 ? undefined : { ...(maxAge < Infinity && { maxAge }), ...(acr && { acr }) };
}
