import { z } from "zod";
import { type HostAndPort, isHost, parseHostAndPort } from "./hosts.js";
import { Secret } from "./secret.js";

/** A kind of value that a variable can have. No message ever quotes the value. */
export interface Kind<T> {
  readonly schema: z.ZodType<T, string>;
  /** An empty text is as good as none; an empty number or boolean is a mistake. */
  readonly emptyIsUnset: boolean;
}

const BYTE_ORDER_MARK = "\uFEFF";

/** What makes `text` unusable whatever it is for, or undefined. */
export function textFlaw(text: string): string | undefined {
  return verbatimFlaw(text) ?? (text === text.trim() ? undefined : "has white space before or after its value");
}

/** As `textFlaw` for a password, where white space may belong to it. */
export function verbatimFlaw(text: string): string | undefined {
  if (text.includes(BYTE_ORDER_MARK)) return "contains a byte order mark; save its file as UTF-8 without one";
  if (/[\r\n]/.test(text)) return "contains a line break; does its file have CRLF line ends?";
  if (/\p{Cc}/u.test(text.replaceAll("\t", ""))) return "contains a control character";
  return text.isWellFormed() ? undefined : "contains a lone surrogate";
}

function checked(flawOf: (text: string) => string | undefined) {
  return z.string({ error: "must be a string" }).superRefine((value, context) => {
    const message = flawOf(value);
    if (message) context.addIssue({ code: "custom", message });
  });
}

const clean = checked(textFlaw);

/** Any text without white space around it. */
export const text: Kind<string> = { schema: clean, emptyIsUnset: true };

/** Taken as it stands, spaces included. */
export const secret: Kind<Secret> = {
  schema: checked(verbatimFlaw).transform((value) => new Secret(value)),
  emptyIsUnset: true,
};

export function matching(pattern: RegExp, error: string): Kind<string> {
  return { schema: clean.pipe(z.string().regex(pattern, { error })), emptyIsUnset: true };
}

export const host: Kind<string> = {
  schema: clean.pipe(
    z.string().refine(isHost, { error: "must be a host name or an IP address, without scheme, port or brackets" }),
  ),
  emptyIsUnset: true,
};

/** Strict: no sign, space, exponent, unit or leading zero. `note` ends the message where more is to be said. */
export function integer(min: number, max: number, unit = "", note = ""): Kind<number> {
  const error = `must be a whole number${unit && ` of ${unit}`} from ${min} to ${max}, in digits only${note && `; ${note}`}`;
  const digits = z.string().regex(/^(0|[1-9]\d*)$/, { error, abort: true });
  const bounded = z.number({ error }).min(min, { error }).max(max, { error });
  return { schema: clean.pipe(digits.transform(Number).pipe(bounded)), emptyIsUnset: false };
}

const truths = ["1", "t", "T", "TRUE", "true", "True"];
const falsehoods = ["0", "f", "F", "FALSE", "false", "False"];

/** What Go's strconv.ParseBool reads `value` as. */
export function parseBool(value: string): boolean | undefined {
  if (truths.includes(value)) return true;
  return falsehoods.includes(value) ? false : undefined;
}

export const boolean: Kind<boolean> = {
  schema: clean.pipe(
    z
      .string()
      .refine((value) => parseBool(value) !== undefined, { error: "must be true or false" })
      .transform((value) => parseBool(value) === true),
  ),
  emptyIsUnset: false,
};

/** `host:port` and `[v6]:port`, separated by commas. A problem is told by position: a URL may hold a password. */
export const addresses: Kind<readonly HostAndPort[]> = {
  schema: clean.pipe(z.string().transform(parseAddresses)),
  emptyIsUnset: true,
};

function parseAddresses(list: string, context: z.RefinementCtx<string>): HostAndPort[] {
  const found = new Map<string, HostAndPort>();
  for (const [index, item] of list.split(",").entries()) {
    const address = parseHostAndPort(item);
    const key = `${address?.host.toLowerCase()} ${address?.port}`;
    const message = address ? found.has(key) && "is there already" : addressProblem(item);
    if (message) context.addIssue({ code: "custom", message: `address ${index + 1} ${message}` });
    if (address) found.set(key, address);
  }
  return [...found.values()];
}

function addressProblem(item: string): string {
  if (item.includes("://")) return "must be host:port, not a URL; TLS, user and password have variables of their own";
  if (item === "") return "is empty";
  return "must be host:port or [IPv6]:port with a port from 1 to 65535, without spaces";
}
