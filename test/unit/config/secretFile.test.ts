import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import { type Credentials, readCredentials, Secret } from "../../../src/config/index.js";
import { CredentialError } from "../../../src/errors.js";

const CANARY = "canary-Zq8";

describe("readCredentials", () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "secret-"));
    path = join(folder, "credentials");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = (): Credentials => readCredentials({ kind: "file", variable: "MYSQL_SECRET_FILE", path });
  const write = (content: string | Buffer, mode = 0o600): void => {
    writeFileSync(path, content);
    chmodSync(path, mode);
  };
  const readContent = (content: string): (string | undefined)[] => {
    write(content);
    const { username, password } = read();
    return [username, password?.reveal()];
  };

  function failure(): CredentialError {
    try {
      read();
    } catch (error) {
      expect(error).to.be.instanceOf(CredentialError);
      expect((error as Error).message)
        .to.include("MYSQL_SECRET_FILE")
        .and.include(path);
      expect(inspect(error, { showHidden: true, depth: null }) + JSON.stringify(error)).not.to.include(CANARY);
      return error as CredentialError;
    }
    throw new Error("The file was accepted");
  }

  it("passes on what variables say", () => {
    const password = new Secret("p");
    const source = { kind: "variables", variable: "MYSQL_USERNAME", username: "u", password } as const;
    expect(readCredentials(source)).to.deep.equal({ username: "u", password, warnings: [] });
  });

  it("reads user:password; the first colon splits, one line break at the end is dropped", () => {
    for (const end of ["", "\n", "\r\n"]) expect(readContent(`u:p${end}`)).to.deep.equal(["u", "p"]);
    expect(readContent("u:p:q@/ \n")).to.deep.equal(["u", "p:q@/ "]);
    expect(readContent("u:")).to.deep.equal(["u", undefined]);
    expect(readContent("\uFEFFu:p")).to.deep.equal(["u", "p"]);
  });

  it("reads JSON, with other members beside", () => {
    expect(readContent('{"username":"u","password":"p:\\"{"}\n')).to.deep.equal(["u", 'p:"{']);
    expect(readContent(' \n{"engine":"mysql","username":"u","password":"","port":1}')).to.deep.equal(["u", undefined]);
    expect(readContent('{"__proto__":{"username":"x"},"username":"u","password":"p"}')).to.deep.equal(["u", "p"]);
  });

  it("reads back any user and password written as JSON, and most as a line", () => {
    const word = fc
      .string({ minLength: 1, maxLength: 20 })
      .filter((text) => text.trim() === text && !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(word, word, (username, password) => {
        expect(readContent(JSON.stringify({ username, password }))).to.deep.equal([username, password]);
        fc.pre(!username.includes(":") && !username.startsWith("{"));
        expect(readContent(`${username}:${password}\n`)).to.deep.equal([username, password]);
      }),
      { numRuns: 200 },
    );
  });

  const malformed: readonly [string, string | Buffer, RegExp][] = [
    ["empty", "", /is empty/],
    ["blank", " \n\n", /is empty/],
    ["without colon", CANARY, /user:password or JSON/],
    ["without user", `:${CANARY}`, /no user name/],
    ["with two lines", `u:${CANARY}\nx`, /more than one line/],
    ["with two line breaks at its end", `u:${CANARY}\n\n`, /more than one line/],
    ["with white space around the user", ` u:${CANARY}`, /white space/],
    ["with a NUL", `u:${CANARY}\0`, /NUL/],
    ["with a NUL in JSON", `{"username":"u","password":"${CANARY}\\u0000"}`, /control character/],
    ["with a line break in JSON", `{"username":"u","password":"${CANARY}\\n"}`, /line break/],
    ["not UTF-8", Buffer.concat([Buffer.from(`u:${CANARY}`), Buffer.from([0xff])]), /UTF-8/],
    ["UTF-16", Buffer.from(`\uFEFFu:${CANARY}`, "utf16le"), /NUL/],
    ["broken JSON", `{"username":"u","password":${CANARY}`, /not valid JSON/],
    ["JSON without password", `{"username":"${CANARY}"}`, /"username".*"password"/],
    ["JSON with a number", `{"username":"${CANARY}","password":1}`, /"username".*"password"/],
    ["JSON with an empty user", `{"username":"","password":"${CANARY}"}`, /"username".*"password"/],
    ["too large", `u:${CANARY}${"x".repeat(65_536)}`, /larger than 65536 bytes/],
  ];
  for (const [title, content, problem] of malformed)
    it(`refuses a file that is ${title}`, () => {
      write(content);
      expect(failure().message).to.match(problem);
    });

  it("takes 64 KB to the byte", () => {
    expect(readContent(`u:${"p".repeat(65_534)}`)[1]).to.have.length(65_534);
    write(`u:${"p".repeat(65_535)}`);
    expect(failure().message).to.include("larger");
  });

  it("refuses what is missing or no file, without waiting", async () => {
    expect(failure().message).to.include("does not exist");
    mkdirSync(path);
    expect(failure().message).to.include("is a directory");
    rmSync(path, { recursive: true });
    execFileSync("mkfifo", [path]);
    expect(failure().message).to.include("not a regular file");
    rmSync(path);
    symlinkSync(path, path);
    expect(failure().message).to.include("ELOOP");
    rmSync(path);
    symlinkSync("/dev/zero", path);
    expect(failure().message).to.include("not a regular file");
    rmSync(path);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(failure().message).to.include("ENXIO");
    await new Promise((resolve) => server.close(resolve));
  });

  it("follows a symbolic link, as Kubernetes mounts secrets by one", () => {
    writeFileSync(join(folder, "target"), "u:p", { mode: 0o600 });
    symlinkSync("target", path);
    expect(read().username).to.equal("u");
  });

  it("refuses a file that others may write, and warns of one that others may read", () => {
    write(`u:${CANARY}`, 0o602);
    expect(failure().message).to.include("writable by others");
    write("u:p", 0o660);
    expect(read().warnings).to.deep.equal([]);
    write(`u:${CANARY}`, 0o644);
    const { warnings } = read();
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.include({ level: "warn", variable: "MYSQL_SECRET_FILE" });
    expect(warnings[0]?.message).to.include(path).and.not.include(CANARY);
  });

  it("never shows the password it read", () => {
    write(`u:${CANARY}`, 0o644);
    expect(inspect(read(), { showHidden: true, depth: null }) + JSON.stringify(read())).not.to.include(CANARY);
  });
});
