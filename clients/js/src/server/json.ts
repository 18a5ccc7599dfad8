// JSON (RFC 8259) and base64url (RFC 4648 §5) with one reading only.

const maxDepth = 16;
const maxMembers = 100; // of a header, which anybody can send
const maxDate = 253_402_300_799; // the last second of the year 9999

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes base64url without padding and with zero bits behind the last byte, or returns undefined. */
export function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  // Node's decoder skips what it does not know, so only what it would write is taken.
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/**
 * Reads an object: no name twice at any depth, no invalid UTF-8, no halves of
 * surrogate pairs, no number that no double holds, at most 16 levels. Throws an
 * Error that quotes nothing of the text.
 */
export function readObject(bytes: Uint8Array | string, members = Infinity): Record<string, unknown> {
  let text: string, value: unknown;
  try {
    text = typeof bytes === "string" ? bytes : utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new Error("is not JSON in UTF-8");
  }
  if (!isObject(value)) throw new Error("is not a JSON object");
  walk(text, members);
  return value;
}

/** readObject for the header of a token, which must be small. */
export const readHeader = (bytes: Uint8Array) => readObject(bytes, maxMembers);

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// walk looks at what JSON.parse lets pass, in a text that JSON.parse has read.
function walk(text: string, members: number): void {
  const names: (Set<string> | undefined)[] = []; // of each open object; undefined for arrays
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
      case 0x5b: // [
        if (names.length === maxDepth) throw new Error("is nested too deep");
        names.push(text[i] === "{" ? new Set() : undefined);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        names.pop();
        break;
      case 0x22: { // "
        const start = i++;
        let escaped = false;
        for (; text.charCodeAt(i) !== 0x22; i++)
          if (text.charCodeAt(i) === 0x5c) {
            escaped = true;
            i++;
          }
        let word = text.slice(start + 1, i);
        if (escaped) {
          word = JSON.parse(text.slice(start, i + 1)) as string;
          if (/\p{Surrogate}/u.test(word)) throw new Error("holds half of a surrogate pair");
        }
        const known = names.at(-1);
        if (known && isName(text, i + 1)) {
          if (known.has(word)) throw new Error("has a name twice");
          if (--members < 0) throw new Error("has too many members");
          known.add(word);
        }
        break;
      }
      default: {
        const c = text.charCodeAt(i);
        if (c !== 0x2d && !(c >= 0x30 && c <= 0x39)) break;
        const start = i;
        while (/[-+.\deE]/.test(text.charAt(i + 1))) i++;
        if (!Number.isFinite(Number(text.slice(start, i + 1)))) throw new Error("holds a number that is too large");
      }
    }
  }
}

// isName tells a member's name from a value: by the colon behind it.
function isName(text: string, i: number): boolean {
  while (text.charCodeAt(i) <= 0x20) i++;
  return text.charCodeAt(i) === 0x3a;
}

/** Whether value is a NumericDate (RFC 7519 §2) from 1970 to 9999. */
export const isDate = (value: unknown): value is number => typeof value === "number" && value >= 0 && Math.floor(value) <= maxDate;

export const isStrings = (value: unknown, most: number): value is string[] =>
  Array.isArray(value) && value.length <= most && value.every((one) => typeof one === "string");
