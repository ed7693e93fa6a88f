import { inspect } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import { type ConnectionParts, type DataConfig, loadConfig, parseDsn, Secret } from "../../../src/config/index.js";
import { ConfigError, InvalidInputError } from "../../../src/errors.js";
import { minimal } from "./environments.js";

/** With the password in clear, to be compared. */
function plain({ password, ...parts }: ConnectionParts): Record<string, unknown> {
  return { ...parts, password: password?.reveal() };
}

const local = { host: "127.0.0.1", port: 3306 };
const base = { username: "", password: undefined, address: local, database: "d", parameters: [] };

describe("a Go DSN is read as go-sql-driver reads it", () => {
  const cases: readonly [string, Record<string, unknown>][] = [
    ["root:@(127.0.0.1:3306)/doordarshan", { username: "root", database: "doordarshan" }],
    ["root:password@(127.0.0.1:3306)/d", { username: "root", password: "password" }],
    ["u:p@tcp(db.example:13306)/d", { username: "u", password: "p", address: { host: "db.example", port: 13_306 } }],
    ["u:p@tcp(db)/d", { username: "u", password: "p", address: { host: "db", port: 3306 } }],
    ["u@tcp([::1]:3307)/d", { username: "u", address: { host: "::1", port: 3307 } }],
    ["u@tcp(::1)/d", { username: "u", address: { host: "::1", port: 3306 } }],
    ["u@tcp(:3307)/d", { username: "u", address: { host: "127.0.0.1", port: 3307 } }],
    ["u@tcp()/d", { username: "u" }],
    ["u@tcp/d", { username: "u" }],
    ["u@/d", { username: "u" }],
    ["/d", {}],
    ["@/d", {}],
    ["tcp(db:1)/d", { address: { host: "db", port: 1 } }],
    [":p@/d", { password: "p" }],
    ["u@unix(/run/mysqld/mysqld.sock)/d", { username: "u", address: { socketPath: "/run/mysqld/mysqld.sock" } }],
    ["u@unix/d", { username: "u", address: { socketPath: "/tmp/mysql.sock" } }],
    ["u:@:/?(@)@tcp(db:1)/d", { username: "u", password: "@:/?(@)", address: { host: "db", port: 1 } }],
    ["u:p@ss:w/r?d@(db:1)/d", { username: "u", password: "p@ss:w/r?d", address: { host: "db", port: 1 } }],
    ["u:%41@/d", { username: "u", password: "%41" }],
    ["u@/a%2Fb+c", { username: "u", database: "a/b+c" }],
    ["u@/", { username: "u", database: "" }],
    ["u@/d?", { username: "u" }],
    [
      "u@/d?a=1&&b=x%20y+z",
      {
        username: "u",
        parameters: [
          ["a", "1"],
          ["b", "x y z"],
        ],
      },
    ],
    [
      "u@/d?charset=utf8mb4%2C&loc=Asia%2FKolkata",
      {
        username: "u",
        parameters: [
          ["charset", "utf8mb4%2C"],
          ["loc", "Asia/Kolkata"],
        ],
      },
    ],
    ["u@/d?parseTime", { username: "u", parameters: [["parseTime", undefined]] }],
    ["u@/d?a=b=c?d", { username: "u", parameters: [["a", "b=c?d"]] }],
  ];
  for (const [text, expected] of cases)
    it(text, () => expect(plain(parseDsn(text))).to.deep.equal({ ...base, ...expected }));
});

describe("a mysql:// URL", () => {
  const cases: readonly [string, Record<string, unknown>][] = [
    ["mysql://u:p@db:13306/d", { username: "u", password: "p", address: { host: "db", port: 13_306 } }],
    ["MySQL://u@db/d", { username: "u", address: { host: "db", port: 3306 } }],
    [
      "mysql://u:p%40%2F%3A%3F%25@[::1]:1/d%20x",
      { username: "u", password: "p@/:?%", address: { host: "::1", port: 1 }, database: "d x" },
    ],
    ["mysql://u:p@ss@db/d", { username: "u", password: "p@ss", address: { host: "db", port: 3306 } }],
    ["mysql://u@db", { username: "u", address: { host: "db", port: 3306 }, database: "" }],
    [
      "mysql://u@db/d?charset=utf8mb4%2Cutf8&tls=true",
      {
        username: "u",
        address: { host: "db", port: 3306 },
        parameters: [
          ["charset", "utf8mb4,utf8"],
          ["tls", "true"],
        ],
      },
    ],
  ];
  for (const [text, expected] of cases)
    it(text, () => expect(plain(parseDsn(text))).to.deep.equal({ ...base, ...expected }));
});

describe("a connection string that cannot be read", () => {
  const canary = "canary-Zq8";
  const bad = [
    `root:${canary}`,
    `root:${canary}@tcp(db:3306)`,
    `root:${canary}@tcp(db:3306/d`,
    `root:${canary}@tcp(db:3306)/d?loc=Asia/${canary}`,
    `root:${canary}@db:3306/d`,
    `root:${canary}@tcp(db:x)/d`,
    `root:${canary}@tcp(db:0)/d`,
    `root:${canary}@tcp([::1])/d`,
    `root:${canary}@tcp(a b:1)/d`,
    `root:${canary}@tcp6([::1]:1)/d`,
    `root:${canary}@/d%zz`,
    `root:${canary}@/d?x=%zz`,
    `root:${canary}@/d?x=%ff`,
    `root:${canary}\0@/d`,
    `jdbc:mysql://root:${canary}@db:3306/d`,
    `mariadb://root:${canary}@db:3306/d`,
    `mysql://root:${canary}%zz@db/d`,
    `mysql://root:${canary}%ff@db/d`,
    `mysql://root:${canary}/x@db/d`,
    `mysql://root:12/${canary}@db/d`,
    `mysql://root:12#${canary}@db/d`,
    `mysql://root:${canary}@/d`,
    `mysql://root:${canary}@db:0/d`,
    `mysql://root:${canary}@db:99999/d`,
    `mysql://root:${canary}@tcp(db:1)/d`,
    `mysql://root:${canary}@db/d?x=%zz`,
  ];
  for (const text of bad)
    it(`${JSON.stringify(text)}: a typed error without any of it`, () => {
      let thrown: unknown;
      try {
        parseDsn(text);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).to.be.instanceOf(InvalidInputError);
      expect(inspect(thrown, { showHidden: true, depth: null }) + JSON.stringify(thrown)).not.to.include(canary);
    });

  it("is told by InvalidInputError alone, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme-ascii" }),
        fc.constantFrom("", "mysql://", "u:p@tcp(", "u@/"),
        (tail, head) => {
          try {
            parseDsn(head + tail);
          } catch (error) {
            expect(error).to.be.instanceOf(InvalidInputError);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

/** Writes the Go form, password in clear. */
function formatDsn({ username, password, address, database, parameters }: ConnectionParts): string {
  const credentials = password ? `${username}:${password.reveal()}` : username;
  const network = "socketPath" in address ? `unix(${address.socketPath})` : `tcp([${address.host}]:${address.port})`;
  const query = parameters.map(([name, value = ""]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return `${credentials}@${network}/${encodeURIComponent(database)}?${query}`;
}

describe("whatever the parts of a connection string", () => {
  const nasty = fc.string({ unit: fc.constantFrom(..."@/:?()%&=+#[]{}'\"\\ aZ0é😀".split(/(?:)/u)), maxLength: 20 });
  const parts: fc.Arbitrary<ConnectionParts> = fc.record({
    username: nasty.map((name) => name.replaceAll(":", "")),
    password: fc.option(
      nasty.filter((text) => text !== "").map((text) => new Secret(text)),
      { nil: undefined },
    ),
    address: fc.oneof(
      fc.record({
        host: fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
        port: fc.integer({ min: 1, max: 65_535 }),
      }),
      fc.record({ socketPath: nasty.map((path) => `/${path.replaceAll("@", "")}`) }),
    ),
    database: nasty,
    parameters: fc.array(fc.tuple(fc.constantFrom("loc", "tls", "time_zone", "x"), nasty)),
  });

  it("they are read as they were written in the Go form", () => {
    fc.assert(
      fc.property(parts, (written) => {
        fc.pre(!(written.username === "mysql" && written.password?.reveal().startsWith("//")));
        expect(plain(parseDsn(formatDsn(written)))).to.deep.equal(plain(written));
      }),
      { numRuns: 3_000 },
    );
  });

  it("they are read from a URL in which they are encoded", () => {
    fc.assert(
      fc.property(parts, ({ username, password, database }) => {
        const user = `${encodeURIComponent(username)}:${encodeURIComponent(password?.reveal() ?? "")}`;
        const read = parseDsn(`mysql://${user}@db:1/${encodeURIComponent(database)}`);
        // WHATWG removes . and .. as path segments, encoded or not; no database has such a name.
        fc.pre(!/^\.{1,2}$/.test(database));
        expect(plain(read)).to.deep.equal(
          plain({ username, password, database, address: { host: "db", port: 1 }, parameters: [] }),
        );
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("parameters of a connection string", () => {
  const load = (query: string): DataConfig =>
    loadConfig({ ...minimal, MYSQL_CONNECTION_STRING: `u@tcp(db)/d?${query}` });
  const problems = (query: string): string[] => {
    try {
      load(query);
    } catch (error) {
      return (error as ConfigError).problems.map(({ variable, problem }) => `${variable} ${problem}`);
    }
    return [];
  };

  it("map", () => {
    expect(load("collation=utf8mb4_unicode_ci").mysql.collation).to.equal("utf8mb4_unicode_ci");
    expect(load("timeout=500ms").mysql.connectTimeoutMs).to.equal(500);
    expect(load("timeout=1m1.5s").mysql.connectTimeoutMs).to.equal(61_500);
    expect(load("readTimeout=3s&writeTimeout=2s").mysql.queryTimeoutMs).to.equal(2_000);
    expect(load("writeTimeout=3s&readTimeout=2s").mysql.queryTimeoutMs).to.equal(2_000);
    expect(load("tls=false").mysql.tls).to.equal(undefined);
    expect(load("tls=True").mysql.tls).to.deep.equal({ caFile: undefined, verify: true });
    expect(load("tls=true&tls=skip-verify").mysql.tls).to.deep.equal({ caFile: undefined, verify: false });
  });

  it("are told where they have no effect, as in the founding document's own string", () => {
    const { notices } = load("charset=utf8mb4&parseTime=True&loc=Local");
    const told = notices.filter(({ message }) => message.startsWith("parameter")).map(({ message }) => message);
    expect(told).to.deep.equal([
      "parameter parseTime has no effect: no table here has a date or time column",
      "parameter loc has no effect: sessions run in UTC",
    ]);
    for (const name of "interpolateParams checkConnLiveness rejectReadOnly maxAllowedPacket tinyInt1IsBool".split(" "))
      expect(JSON.stringify(load(`${name}=1`).notices)).to.include(`parameter ${name} has no effect`);
    for (const query of "timeTruncate=1ms loc= loc=UTC loc=Asia%2FKolkata maxAllowedPacket=-1".split(" "))
      expect(JSON.stringify(load(query).notices), query).to.include("has no effect");
    expect(JSON.stringify(load("multiStatements").notices)).to.include("parameter multiStatements has no value");
  });

  it("with the value that is so anyway are taken", () => {
    for (const query of [
      "multiStatements=false",
      "clientFoundRows=true",
      "allowNativePasswords=true",
      "charset=utf8mb4,utf8",
    ])
      expect(problems(query), query).to.deep.equal([]);
  });

  const refused = [
    ..."multiStatements allowAllFiles allowCleartextPasswords allowOldPasswords allowFallbackToPlaintext compress columnsWithAlias"
      .split(" ")
      .map((name) => `${name}=true`),
    ..."clientFoundRows=false allowNativePasswords=false parseTimes=1 tls=preferred tls=custom tls=yes charset=utf8 charset=latin1,utf8mb4".split(
      " ",
    ),
    ..."collation=utf8_general_ci collation=utf8mb4_bin;x timeout=5 timeout=0 timeout=-5s timeout=1us timeout=25h readTimeout=x".split(
      " ",
    ),
    ..."sql_mode=%27%27 time_zone=x serverPubKey=k connectionAttributes=a:b strict=true multipleStatements=true".split(
      " ",
    ),
    ..."parseTime=yes parseTime=t interpolateParams= checkConnLiveness=2 rejectReadOnly=on tinyInt1IsBool=T".split(" "),
    ..."loc=Asia%2FNowhere loc=local+time loc=%2B05:30 timeTruncate=1 maxAllowedPacket=64M tls=t clientFoundRows=T".split(
      " ",
    ),
    ..."ssl=%7B%22rejectUnauthorized%22%3Afalse%7D constructor=1 __proto__=1 multiStatements=maybe".split(" "),
  ];
  for (const query of refused)
    it(`refuses ${query} by name`, () => {
      const found = problems(query);
      expect(found).to.have.length(1);
      const name = query.slice(0, query.indexOf("="));
      expect(found[0]).to.include(
        `MYSQL_CONNECTION_STRING parameter ${/^_/.test(name) ? "with a malformed name" : name} `,
      );
    });

  it("are refused in a URL too", () => {
    const url =
      "mysql://u@db/d?ssl={%22rejectUnauthorized%22:false}&multipleStatements=true&multiStatements=true&flags=x";
    expect(() => loadConfig({ ...minimal, MYSQL_CONNECTION_STRING: url }))
      .to.throw(ConfigError)
      .with.property("problems")
      .with.length(4);
  });

  it("TLS does not go with a socket file", () => {
    const string = { ...minimal, MYSQL_CONNECTION_STRING: "u@unix(/s)/d?tls=true" };
    expect(() => loadConfig(string)).to.throw(ConfigError, "socket file");
  });

  it("a string needs a user and a database", () => {
    expect(() => loadConfig({ ...minimal, MYSQL_CONNECTION_STRING: "tcp(db)/" }))
      .to.throw(ConfigError)
      .with.property("problems")
      .with.length(2);
  });
});
