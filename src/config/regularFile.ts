import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Why a file cannot be used, as the end of a sentence that begins with its path. Never its content. */
export class FileProblem extends Error {}

export interface FileContent {
  readonly bytes: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

/**
 * Reads a regular file of at most `maxBytes`. O_NONBLOCK, since opening a FIFO would otherwise wait for a writer for ever.
 * @throws FileProblem
 */
export function readRegularFile(path: string, maxBytes: number): FileContent {
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return readDescriptor(descriptor, maxBytes);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw error instanceof FileProblem ? error : new FileProblem(describe(error), { cause: error });
  }
}

function readDescriptor(descriptor: number, maxBytes: number): FileContent {
  const stat = fstatSync(descriptor);
  if (stat.isDirectory()) throw new FileProblem("is a directory, not a file");
  if (!stat.isFile()) throw new FileProblem("is not a regular file");
  // The size is not trusted: the file may grow, and some file systems say 0.
  const bytes = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < bytes.length; length += read)
    read = readSync(descriptor, bytes, length, bytes.length - length, null);
  if (length > maxBytes) throw new FileProblem(`is larger than ${maxBytes} bytes`);
  return { bytes: bytes.subarray(0, length), mode: stat.mode };
}

function describe(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "does not exist (ENOENT)";
  if (code === "EACCES" || code === "EPERM") return `cannot be read: permission denied (${code})`;
  return `cannot be read (${code})`;
}

/**
 * The text of `bytes`, without a leading byte order mark.
 * @throws FileProblem when they are not UTF-8 or hold a NUL
 */
export function decodeText(bytes: Buffer): string {
  if (bytes.includes(0)) throw new FileProblem("contains a NUL character; is it a text file in UTF-8?");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FileProblem("is not UTF-8 text");
  }
}
