import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { loadConfig, loadDotenv } from "../../../src/config/index.js";
import { ConfigError } from "../../../src/errors.js";
import { kendra } from "./environments.js";

describe("loadDotenv", () => {
  let folder: string;
  let path: string;
  const startFolder = process.cwd();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dotenv-"));
    path = join(folder, ".env");
  });
  afterEach(() => {
    process.chdir(startFolder);
    rmSync(folder, { recursive: true, force: true });
  });

  const load = (content: string | Buffer, environment: Record<string, string | undefined> = {}) => {
    writeFileSync(path, content);
    loadDotenv(path, environment);
    return environment;
  };

  for (const [title, head, end] of [
    ["LF", "", "\n"],
    ["CRLF", "", "\r\n"],
    ["a byte order mark and CRLF", "\uFEFF", "\r\n"],
  ] as const)
    it(`loads a running Kendra's file with ${title}`, () => {
      const lines = ["# Kendra", "", ...Object.entries(kendra).map(([name, value]) => `${name}=${value}`), ""];
      expect(loadConfig(load(head + lines.join(end)))).to.deep.equal(loadConfig(kendra));
    });

  it("reads quotes, comments, export and several lines", () => {
    const content = ["A=1 # one", 'B="x#y" # two', "export C='a b'", "D=", 'E="one', 'two"', "F: g", "G='a\\'b'"].join(
      "\n",
    );
    expect(load(content)).to.deep.equal({ A: "1", B: "x#y", C: "a b", D: "", E: "one\ntwo", F: "g", G: "a\\'b" });
  });

  it("leaves what is set already, even to nothing, and returns the names it set", () => {
    writeFileSync(path, "A=1\nB=2\nC=3\n");
    const environment = { A: "0", B: "" };
    expect(loadDotenv(path, environment)).to.deep.equal(["C"]);
    expect(environment).to.deep.equal({ A: "0", B: "", C: "3" });
  });

  it("looks for .env in the working folder, and does without", () => {
    process.chdir(folder);
    expect(loadDotenv(undefined, {})).to.deep.equal([]);
    writeFileSync(".env", "A=1");
    expect(loadDotenv(undefined, {})).to.deep.equal(["A"]);
    rmSync(".env");
    mkdirSync(".env");
    expect(() => loadDotenv(undefined, {})).to.throw(ConfigError, "is a directory");
  });

  it("sets the process's environment when none is named", () => {
    const name = "DOORDARSHAN_DOTENV_TEST";
    writeFileSync(path, `${name}=1`);
    try {
      loadDotenv(path);
      expect(process.env[name]).to.equal("1");
    } finally {
      delete process.env[name];
    }
  });

  it("refuses a named file that is missing", () => {
    expect(() => loadDotenv(path, {}))
      .to.throw(ConfigError, "does not exist")
      .with.property("message")
      .that.includes(path);
  });

  const lost: readonly [string, string | Buffer, string][] = [
    ["a # inside a value", "A=1\nP=canary#x\n", "line 2 has a #"],
    ["a # in front of a value", "P=#canary\n", "line 1 has a #"],
    ["a line that is no assignment", "A=1\ncanary\n", "line 2 is not NAME=value"],
    ["a quote that stays open", 'A="canary\nB=2\n', "line 1 opens a quote"],
    ["a # right after a quote", "P='ca'#canary'\n", "line 1 has text after"],
    ["text after a quote that closes lines later", "P='ca\nnary' canary\nB=2\n", "line 1 has text after"],
    ["text after a quote", "A='x' canary\n", "line 1 has text after"],
    ["a NUL", "A=canary\0", "NUL"],
    ["UTF-16", Buffer.from("\uFEFFA=canary", "utf16le"), "NUL"],
    ["Latin-1", Buffer.from("A=canaryé", "latin1"), "UTF-8"],
  ];
  for (const [title, content, problem] of lost)
    it(`refuses ${title}, where text would be lost`, () => {
      const environment = {};
      expect(() => load(content, environment))
        .to.throw(ConfigError, problem)
        .with.property("message")
        .that.does.not.include("canary");
      expect(environment).to.deep.equal({});
    });

  it("keeps any unquoted value whole, or refuses the line", () => {
    const value = fc
      .string({ unit: fc.constantFrom(..."#'\"`\\ =$:aé"), maxLength: 12 })
      .filter((text) => text === text.trim());
    fc.assert(
      fc.property(value, (written) => {
        try {
          const read = load(`V=${written}\nLAST=1\n`);
          expect(read.LAST).to.equal("1");
          const bare = written.replace(/\s#.*$/s, "").trim();
          const quoted = /^(['"`])((?:\\\1|(?!\1).)*)\1(?:\s+#.*)?$/s.exec(written)?.[2];
          expect([bare, quoted]).to.include(read.V);
        } catch (error) {
          expect(error).to.be.instanceOf(ConfigError);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
