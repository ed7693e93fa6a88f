import { z } from "zod";
import { CredentialError } from "../errors.js";
import { textFlaw, verbatimFlaw } from "./kinds.js";
import { decodeText, type FileContent, FileProblem, readRegularFile } from "./regularFile.js";
import { Secret } from "./secret.js";
import type { ConfigNotice, CredentialSource } from "./types.js";

const MAX_SECRET_FILE_BYTES = 65_536;
const WRITABLE_BY_OTHERS = 0o002;
const READABLE_BY_OTHERS = 0o004;

export interface Credentials {
  readonly username: string | undefined;
  readonly password: Secret | undefined;
  /** To be logged; they name the variable and the file. */
  readonly warnings: readonly ConfigNotice[];
}

/**
 * User name and password from where `source` says. A file is read now, holds at most 64 KB of UTF-8, and is either
 * `user:password` (the first colon splits, one trailing line break is dropped) or JSON `{"username", "password"}`.
 * Does not block, whatever the path is.
 * @throws CredentialError naming the variable and the path, never the content
 */
export function readCredentials(source: CredentialSource): Credentials {
  if (source.kind === "variables") return { username: source.username, password: source.password, warnings: [] };
  try {
    return readSecretFile(source.variable, source.path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new CredentialError(source.variable, source.path, error.message, { cause: error.cause });
  }
}

function readSecretFile(variable: string, path: string): Credentials {
  const content = readRegularFile(path, MAX_SECRET_FILE_BYTES);
  if (content.mode & WRITABLE_BY_OTHERS)
    throw new FileProblem("is writable by others, who could replace the credentials; run chmod o-w on it");
  const { username, password } = parseSecret(decodeText(content.bytes));
  const flaw = textFlaw(username);
  if (flaw) throw new FileProblem(`has a user name that ${flaw}`);
  const passwordFlaw = verbatimFlaw(password);
  if (passwordFlaw) throw new FileProblem(`has a password that ${passwordFlaw}`);
  return {
    username,
    password: password === "" ? undefined : new Secret(password),
    warnings: exposure(content, variable, path),
  };
}

function parseSecret(text: string): { username: string; password: string } {
  if (text.trim() === "") throw new FileProblem("is empty");
  if (text.trimStart().startsWith("{")) return parseJson(text);
  const line = text.replace(/\r?\n$/, "");
  if (/[\r\n]/.test(line)) throw new FileProblem("has more than one line; it must be user:password or JSON");
  const colon = line.indexOf(":");
  if (colon < 0) throw new FileProblem("must be user:password or JSON with username and password");
  if (colon === 0) throw new FileProblem("has no user name before its first colon");
  return { username: line.slice(0, colon), password: line.slice(colon + 1) };
}

const jsonSecret = z.object({ username: z.string().min(1), password: z.string() });

/** Neither JSON.parse's error nor zod's is passed on: the former quotes the text. */
function parseJson(text: string): { username: string; password: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FileProblem("begins with { and is not valid JSON");
  }
  const secret = jsonSecret.safeParse(value);
  if (!secret.success) throw new FileProblem('must be JSON with the texts "username", not empty, and "password"');
  return secret.data;
}

function exposure({ mode }: FileContent, variable: string, path: string): ConfigNotice[] {
  if (!(mode & READABLE_BY_OTHERS)) return [];
  const message = `names secret file ${JSON.stringify(path)}, which every user of this machine can read`;
  return [{ level: "warn", variable, message }];
}
