import { InvalidInputError } from "../errors.js";
import type { Parameter } from "./types.js";

/** go-sql-driver takes these values as they stand and decodes all others. */
const verbatimInGo = new Set(
  (
    "allowAllFiles allowCleartextPasswords allowFallbackToPlaintext allowNativePasswords allowOldPasswords charset " +
    "checkConnLiveness clientFoundRows collation columnsWithAlias compress interpolateParams maxAllowedPacket " +
    "multiStatements parseTime readTimeout rejectReadOnly timeout timeTruncate tinyInt1IsBool writeTimeout"
  ).split(" "),
);

/**
 * Takes a query apart. In Go's form names and some values are not encoded; in a URL all are.
 * @throws InvalidInputError for a bad percent-encoding
 */
export function splitParameters(argument: string, query: string, form: "go" | "url"): Parameter[] {
  const decode = (text: string) => decodePercent(argument, "a parameter", text.replaceAll("+", " "));
  return query
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const equals = part.indexOf("=");
      const nameEnd = equals < 0 ? part.length : equals;
      const name = form === "url" ? decode(part.slice(0, nameEnd)) : part.slice(0, nameEnd);
      if (equals < 0) return [name, undefined];
      const value = part.slice(equals + 1);
      return [name, form === "go" && verbatimInGo.has(name) ? value : decode(value)];
    });
}

/** @throws InvalidInputError that names `what` and quotes nothing, as URIError and ERR_INVALID_URL would */
export function decodePercent(argument: string, what: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidInputError(argument, `has a bad percent-encoding in ${what}`);
  }
}
