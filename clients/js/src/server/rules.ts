import { Denied } from "./errors.js";
import { isObject } from "./json.js";
import type { Token } from "./token.js";

/** What a token must have; several members of one rule must all hold. */
export interface Rule {
  readonly scope?: string;
  readonly role?: string;
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
      case "all":
      case "any": {
        if (!Array.isArray(value) || value.length === 0) throw new Error(`a rule's ${name} must be rules`);
        const rules = value.map((one) => all(read(one)));
        return name === "all" ? all(rules) : any(rules);
      }
      default:
        throw new Error(`a rule has scope, role, all or any, not ${JSON.stringify(name)}`);
    }
  });
  if (parts.length === 0) throw new Error("a rule within a rule demands nothing");
  return parts;
}

const part = (text: string, scope: string, holds: (token: Token) => boolean): Part =>
  ({ text, ask: (token) => (holds(token) ? undefined : new Denied(text, scope)) });

const join = (parts: Part[], word: string) => parts.map((p) => (p.text.includes(" and ") || p.text.includes(" or ") ? `(${p.text})` : p.text)).join(word);

function all(parts: Part[]): Part {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  return {
    text: join(parts, " and "),
    ask: (token) => {
      const denials = parts.map((p) => p.ask(token)).filter((d) => d !== undefined);
      const [first] = denials;
      // Scopes are told only where scopes alone would be enough.
      return first && new Denied(first.rule, denials.every((d) => d.scope) ? denials.map((d) => d.scope).join(" ") : "");
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
      return denials.includes(undefined) ? undefined : new Denied(text, denials.find((d) => d?.scope)?.scope ?? "");
    },
  };
}
