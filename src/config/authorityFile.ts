import { X509Certificate } from "node:crypto";
import { ConfigError } from "../errors.js";
import { decodeText, FileProblem, readRegularFile } from "./regularFile.js";

const MAX_AUTHORITY_BYTES = 1_048_576;

/**
 * The certificates of the PEM file that `variable` names, at most 1 MB. Does not block, whatever the path is.
 * @throws ConfigError naming the variable; also for a file without a certificate, for which Node.js would silently ask the system's authorities
 */
export function readAuthority(variable: string, path: string): string {
  try {
    return checkCertificate(decodeText(readRegularFile(path, MAX_AUTHORITY_BYTES).bytes));
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new ConfigError([{ variable, problem: `names a file that ${error.message}` }]);
  }
}

function checkCertificate(text: string): string {
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new FileProblem("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  try {
    new X509Certificate(text);
  } catch {
    throw new FileProblem("holds a certificate that cannot be read; is it cut short?");
  }
  return text;
}
