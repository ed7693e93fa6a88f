import { createRequire } from "node:module";
import { MissingPackageError } from "../errors.js";

const require = createRequire(import.meta.url);

/**
 * A package that the service installs if it wants this part. Not imported, since that would fail with a message that says not what to do.
 * @throws MissingPackageError
 */
export function requirePackage<T>(name: string, neededBy: string): T {
  try {
    return require(name) as T;
  } catch (cause) {
    if (!isMissing(cause, name)) throw cause;
    throw new MissingPackageError(name, versionsOf(name), neededBy);
  }
}

/** And not something that the package itself lacks. */
function isMissing(cause: unknown, name: string): boolean {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === "MODULE_NOT_FOUND" && message.startsWith(`Cannot find module '${name}'`);
}

function versionsOf(name: string): string {
  const { peerDependencies } = require("doordarshan-data/package.json") as { peerDependencies: Record<string, string> };
  return peerDependencies[name] ?? "*";
}
