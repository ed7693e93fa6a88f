import { webcrypto } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { ServerTls } from "../../src/testing/index.js";

/** What a server or a client is given; `caFile` names a file with the text of `ca`. */
export interface TestCertificate extends ServerTls {
  readonly caFile: string;
}

export interface TestCertificates {
  /** For `localhost` and 127.0.0.1. */
  readonly valid: TestCertificate;
  /** As `valid`, but its time is over. */
  readonly expired: TestCertificate;
  /** Of the same authority, for another host name. */
  readonly foreignHost: TestCertificate;
  /** For `localhost`, of an authority that nobody knows. */
  readonly foreignAuthority: TestCertificate;
  /** Removes the files. */
  remove(): void;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

export async function createCertificates(): Promise<TestCertificates> {
  x509.cryptoProvider.set(webcrypto);
  const folder = mkdtempSync(join(tmpdir(), "doordarshan-certificates-"));
  const [ours, foreign] = [await createAuthority("Test CA"), await createAuthority("Foreign CA")];
  const local = [
    { type: "dns", value: "localhost" },
    { type: "ip", value: "127.0.0.1" },
  ] as const;
  const issue = async (name: string, authority: Authority, options: LeafOptions) => {
    const caFile = join(folder, `${name}-ca.pem`);
    const tls = await createLeaf(authority, options);
    writeFileSync(caFile, tls.ca);
    return { ...tls, caFile };
  };
  return {
    valid: await issue("valid", ours, { names: local }),
    expired: await issue("expired", ours, { names: local, expired: true }),
    foreignHost: await issue("foreign-host", ours, { names: [{ type: "dns", value: "elsewhere.example" }] }),
    foreignAuthority: await issue("foreign-authority", foreign, { names: local }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function createAuthority(name: string): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 10 * DAY_MS),
    notAfter: new Date(Date.now() + 10 * DAY_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, keys };
}

interface LeafOptions {
  readonly names: readonly { readonly type: "dns" | "ip"; readonly value: string }[];
  readonly expired?: boolean;
}

async function createLeaf(authority: Authority, { names, expired = false }: LeafOptions): Promise<ServerTls> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: "02",
    subject: `CN=${names[0]?.value}`,
    issuer: authority.certificate.subject,
    notBefore: new Date(Date.now() - 5 * DAY_MS),
    notAfter: new Date(Date.now() + (expired ? -DAY_MS : 5 * DAY_MS)),
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.SubjectAlternativeNameExtension([...names]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
    ],
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { ca: authority.certificate.toString("pem"), cert: certificate.toString("pem"), key };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;
}
