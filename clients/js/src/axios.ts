import type { AxiosError, AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import type { Client } from "./types.js";
import { isReplayable, refusesToken } from "./util.js";

/**
 * Sends the client's access token with the instance's requests to the origins
 * that the client was given, and sends a request again, once, whose token was
 * refused as invalid. A request that has Authorization already is left alone.
 * Tokens are taken out of the errors that axios throws: people log those.
 * Answers a function that undoes it.
 */
export function attach(instance: AxiosInstance, client: Client): () => void {
  const sent = new WeakMap<object, string>();

  const request = instance.interceptors.request.use(async (config) => {
    if (config.headers.has("Authorization")) return config;
    const value = await client.authorization(urlOf(instance, config), { signal: config.signal as AbortSignal | undefined });
    if (value) {
      config.headers.set("Authorization", value);
      sent.set(config, value);
    }
    return config;
  });

  const response = instance.interceptors.response.use(undefined, async (error: AxiosError) => {
    const { config } = error as Partial<AxiosError>;
    if (!config) throw error;
    config.headers.delete("Authorization");
    const refused = sent.get(config);
    sent.delete(config);
    if (!refused || !error.response || !invalid(error.response)) throw error;
    const signal = config.signal as AbortSignal | undefined;
    const value = await client.authorization(urlOf(instance, config), { signal, refused }).catch(() => undefined);
    if (!value || value === refused || !isReplayable("", { body: config.data as BodyInit })) throw error;
    config.headers.set("Authorization", value);
    return instance.request(config);
  });

  return () => {
    instance.interceptors.request.eject(request);
    instance.interceptors.response.eject(response);
  };
}

const urlOf = (instance: AxiosInstance, config: InternalAxiosRequestConfig) => instance.getUri(config);

function invalid({ status, headers, data }: AxiosResponse): boolean {
  if (status !== 401) return false;
  const code = (data as { code?: unknown } | null | undefined)?.code;
  return refusesToken(headers["www-authenticate"] as string | undefined, code);
}
