import { inspect } from "node:util";
import { expect } from "chai";
import { loadConfig, variables } from "../../../src/config/index.js";
import { ConfigError } from "../../../src/errors.js";
import { kendraParts } from "./environments.js";

/** A value that is right for every variable, so that one thing at a time can be made wrong. */
const good: Record<string, string> = Object.fromEntries(
  variables.map(({ name, default: standard }) => [name, standard || "7"]),
);
Object.assign(good, {
  MYSQL_CONNECTION_STRING: "u@tcp(db)/d",
  MYSQL_ENDPOINT: "db",
  REDIS_CLUSTER_ADDRESSES: "db:7000",
  REDIS_CLUSTER_POOL_FIFO: "true",
});

const names = variables.map(({ name }) => name);
const passwords = ["MYSQL_PASSWORD", "MYSQL_MIGRATION_PASSWORD", "REDIS_CLUSTER_PASSWORD"];
const booleans = names.filter((name) => ["true", "false"].includes(good[name] ?? ""));
const integers = names.filter(
  (name) =>
    /^\d+$/.test(good[name] ?? "") && /_(PORT|SIZE|LIMIT|LENGTH|BYTES|RETRIES|CONNECTIONS|SECS|HOURS)$/.test(name),
);
const zeroAllowed = ["IDLE_CONNECTIONS", "QUEUE_LIMIT", "MAX_RETRIES", "MAX_IDLE_TIME_IN_SECS", "MAX_LIFETIME_IN_SECS"];
const without = (list: readonly string[], out: readonly string[]) => list.filter((name) => !out.includes(name));

/** What is done to every value, and which variables must then be named. */
const cases: readonly [string, (value: string) => string, readonly string[]][] = [
  ["empty", () => "", [...booleans, ...integers]],
  ["padded in front", (value) => ` ${value}`, without(names, passwords)],
  ["padded behind", (value) => `${value}\t`, without(names, passwords)],
  ["with a no-break space", (value) => `${value}\u00a0`, without(names, passwords)],
  ["with a CR", (value) => `${value}\r`, names],
  ["with a line feed", (value) => `${value}\n`, names],
  ["with a BOM in front", (value) => `\uFEFF${value}`, names],
  ["with a BOM behind", (value) => `${value}\uFEFF`, names],
  ["with a NUL", (value) => `${value}\0`, names],
  ["with a lone surrogate", (value) => `${value}\ud800`, names],
  ["not a string", () => 7 as never, names],
  ["5s", () => "5s", [...booleans, ...integers]],
  ["-1", () => "-1", [...booleans, ...integers]],
  ["+1", () => "+1", [...booleans, ...integers]],
  ["0", () => "0", integers.filter((name) => !zeroAllowed.some((end) => name.endsWith(end)))],
  ["1e9", () => "1e9", [...booleans, ...integers]],
  ["1.5", () => "1.5", [...booleans, ...integers]],
  ["0x10", () => "0x10", [...booleans, ...integers]],
  ["007", () => "007", [...booleans, ...integers]],
  ["1_000", () => "1_000", [...booleans, ...integers]],
  ["Arabic digits", () => "٣", [...booleans, ...integers]],
  ["NaN", () => "NaN", [...booleans, ...integers]],
  ["Infinity", () => "Infinity", [...booleans, ...integers]],
  ["far too large", () => "9".repeat(400), [...booleans, ...integers]],
  ["TRUE", () => "TRUE", integers],
  ["yes", () => "yes", [...booleans, ...integers]],
  ["tRUE", () => "tRUE", [...booleans, ...integers]],
];

function problemsOf(environment: Record<string, string>): ConfigError | undefined {
  try {
    loadConfig(environment);
    return undefined;
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    return error as ConfigError;
  }
}

describe("bad values", () => {
  it("are tried on a table that is right and complete", () => {
    expect(problemsOf(good)).to.equal(undefined);
    expect(booleans).to.have.length(7);
    expect(integers).to.have.length(24);
  });

  for (const [title, spoil, expected] of cases)
    describe(title, () => {
      it("for all variables at once: one error that lists every bad one", () => {
        const spoiled = Object.fromEntries(Object.entries(good).map(([name, value]) => [name, spoil(value)]));
        const named = problemsOf(spoiled)?.problems.map(({ variable }) => variable) ?? [];
        expect(named).to.include.members([...expected]);
      });

      it("for one variable at a time: that one, and no other", () => {
        for (const name of names) {
          const named = problemsOf({ ...good, [name]: spoil(good[name] ?? "") })?.problems.map((p) => p.variable) ?? [];
          if (expected.includes(name)) expect([...new Set(named)], name).to.deep.equal([name]);
        }
      });
    });

  it("of aliases are told under the alias", () => {
    for (const { aliases } of variables)
      for (const alias of aliases)
        expect(problemsOf({ ...kendraParts, [alias]: " 7" })?.problems.map((p) => p.variable)).to.deep.equal([alias]);
  });

  it("are never shown", () => {
    const canary = "canary-Zq8";
    const bad = Object.fromEntries(names.map((name) => [name, `${canary}\r`]));
    for (const error of [
      problemsOf(bad),
      problemsOf({ ...good, MYSQL_CONNECTION_STRING: `root:${canary}@db/d` }),
      problemsOf({ ...good, MYSQL_CONNECTION_STRING: `mysql://root:${canary}%zz@db/d` }),
      problemsOf({ ...good, MYSQL_CONNECTION_STRING: `mysql://root:${canary}/@db:x/d` }),
      problemsOf({ ...good, REDIS_CLUSTER_ADDRESSES: `redis://u:${canary}@db:1` }),
    ]) {
      expect(error).to.be.instanceOf(ConfigError);
      for (const printed of [
        String(error),
        inspect(error, { showHidden: true, depth: null }),
        JSON.stringify(error),
        error?.stack,
      ])
        expect(printed).not.to.include(canary);
    }
  });

  it("include a name that begins with a byte order mark or has white space", () => {
    for (const name of ["\uFEFFMYSQL_PORT", "MYSQL_PORT ", "MYSQL_PORT\r", " REDIS_CLUSTER_NEW"])
      expect(problemsOf({ ...good, [name]: "1" })?.problems).to.deep.equal([
        { variable: name.trim(), problem: "has a byte order mark or white space in its name" },
      ]);
  });

  it("booleans are read as Go reads them", () => {
    for (const value of ["1", "t", "T", "TRUE", "true", "True"])
      expect(loadConfig({ ...good, REDIS_CLUSTER_MODE_ON: value }).redis.mode).to.equal("cluster");
    for (const value of ["0", "f", "F", "FALSE", "false", "False"])
      expect(loadConfig({ ...good, REDIS_CLUSTER_MODE_ON: value }).redis.mode).to.equal("single");
  });
});
