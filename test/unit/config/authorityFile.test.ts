import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadConfig, readAuthority } from "../../../src/config/index.js";
import { ConfigError } from "../../../src/errors.js";
import { createDataSource } from "../../../src/mysql/dataSource.js";
import { createRedisClient } from "../../../src/redis/client.js";
import { createCertificates, type TestCertificates } from "../../support/certificates.js";
import { recordingLogger } from "../../support/recordingLogger.js";
import { minimal } from "./environments.js";

describe("the file of a certificate authority", () => {
  let certificates: TestCertificates;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "authority-"));
    certificates = await createCertificates();
  });

  after(() => {
    rmSync(folder, { recursive: true });
    certificates.remove();
  });

  const file = (content: string | Buffer) => {
    const path = join(folder, "ca.pem");
    writeFileSync(path, content);
    return path;
  };
  const refusal = (path: string) => expect(() => readAuthority("X_CA_FILE", path)).to.throw(ConfigError);

  it("is read, with text around its certificates", () => {
    const { ca } = certificates.valid;
    expect(readAuthority("X_CA_FILE", certificates.valid.caFile)).to.equal(ca);
    const text = `an authority\n${ca}\nanother\n${ca}`;
    expect(readAuthority("X_CA_FILE", file(text))).to.equal(text);
  });

  it("is refused without a certificate, for which Node.js would ask the system's authorities", () => {
    for (const content of ["", "\n", "no certificate", certificates.valid.key])
      refusal(file(content))
        .with.property("message")
        .that.matches(/X_CA_FILE names a file that holds no certificate/);
    const cut = certificates.valid.ca.slice(0, 200);
    refusal(file(cut))
      .with.property("message")
      .that.matches(/cut short/);
  });

  it("is refused when it is not text", () => {
    refusal(file(Buffer.from([0x30, 0x82, 0, 1])))
      .with.property("message")
      .that.matches(/NUL/);
  });

  it("is refused when it is missing or no file, without waiting", () => {
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    for (const [path, problem] of [
      [fifo, "is not a regular file"],
      ["/dev/zero", "is not a regular file"],
      [folder, "is a directory, not a file"],
      ["/no/such/file", "does not exist"],
    ] as const)
      refusal(path).with.property("message").that.includes(`X_CA_FILE names a file that ${problem}`);
  });

  it("is read for either store, and only where certificates are verified", () => {
    const logger = recordingLogger();
    const make = (skip: string) => {
      const mysql = { MYSQL_TLS: "true", MYSQL_TLS_CA_FILE: "/dev/zero", MYSQL_TLS_SKIP_VERIFY: skip };
      const redis = {
        REDIS_CLUSTER_TLS: "true",
        REDIS_CLUSTER_TLS_CA_FILE: "/dev/zero",
        REDIS_CLUSTER_SKIP_VERIFY: skip,
      };
      const config = loadConfig({ ...minimal, ...mysql, ...redis });
      return [() => createDataSource(config), () => createRedisClient(config, { logger })] as const;
    };
    const [mysql, redis] = make("false");
    expect(mysql).to.throw(ConfigError, "MYSQL_TLS_CA_FILE names a file that is not a regular file");
    expect(redis).to.throw(ConfigError, "REDIS_CLUSTER_TLS_CA_FILE names a file that is not a regular file");
    for (const unverified of make("true")) expect(unverified).not.to.throw();
  });
});
