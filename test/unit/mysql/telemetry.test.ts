import { expect } from "chai";
import {
  AcquireTimeoutError,
  DeadlineExceededError,
  DriverError,
  QueryError,
  ReadOnlyError,
} from "../../../src/errors.js";
import { REPOSITORIES } from "../../../src/mysql/repositories/index.js";
import { observedRepositories } from "../../../src/mysql/repositories/observed.js";
import { errorType } from "../../../src/mysql/telemetry/errorType.js";
import { toSamples } from "../../../src/mysql/telemetry/fleetSamples.js";
import { Operations } from "../../../src/mysql/telemetry/operations.js";
import { operationName, statementSummary } from "../../../src/mysql/telemetry/statementSummary.js";
import { NO_INSTRUMENTS } from "../../../src/telemetry/instruments.js";
import { mysqlConfig } from "../../integration/mysql/testDataSource.js";
import { RecordedTelemetry } from "../../support/recordedTelemetry.js";
import { minimal } from "../config/environments.js";

describe("what a statement is called", () => {
  const summaries: readonly [string, string][] = [
    ["SELECT `m`.`meeting_id` AS `id` FROM `meeting_status` `m` WHERE 1", "SELECT meeting_status"],
    ["/* why */ -- and\n  insert into router_meeting (a) VALUES (?)", "INSERT router_meeting"],
    ["INSERT INTO container_load SELECT * FROM worker_load ON DUPLICATE KEY UPDATE free = 1", "INSERT container_load"],
    ["UPDATE placement_reservation p STRAIGHT_JOIN worker_load w ON 1 SET w.used = 1", "UPDATE placement_reservation"],
    ["DELETE l FROM container_load l LEFT JOIN container_heartbeat h ON 1", "DELETE container_load"],
    ["SELECT COUNT(1) FROM (SELECT 1 FROM `participant_meeting`) x", "SELECT participant_meeting"],
    ["(SELECT 1 FROM meeting_status) UNION SELECT 2", "SELECT meeting_status"],
    ["SELECT 1 FROM information_schema.COLUMNS", "SELECT other"],
    ["CREATE TABLE IF NOT EXISTS meeting_status (x int)", "CREATE meeting_status"],
    ["SELECT 'm-1'", "SELECT"],
    ["START TRANSACTION", "START"],
    ["COMMIT", "COMMIT"],
    ["XYZZY canary FROM canary", "other other"],
    ["", "other"],
  ];
  for (const [sql, summary] of summaries) it(summary, () => expect(statementSummary(sql)).to.equal(summary));

  it("is of a bounded set whatever it says", () => {
    expect(operationName("canary FROM meeting_status")).to.equal("other");
    expect(statementSummary("SELECT 1 FROM canary")).to.equal("SELECT other");
  });
});

describe("what an error is called in metrics", () => {
  const types: readonly [unknown, string][] = [
    [new QueryError(new DriverError("x", { errno: 1213 })), "ER_LOCK_DEADLOCK"],
    [new QueryError(new DriverError("x", { driverCode: "PROTOCOL_CONNECTION_LOST" })), "PROTOCOL_CONNECTION_LOST"],
    [new QueryError(new DriverError("x", { errno: 64_999, driverCode: "ER_CANARY" })), "ErrQuery"],
    [new QueryError(new DriverError("x")), "ErrQuery"],
    [new ReadOnlyError(new DriverError("x", { errno: 1290 })), "ErrReadOnly"],
    [new DeadlineExceededError("x"), "ErrDeadlineExceeded"],
    [new AcquireTimeoutError("x"), "ErrAcquireTimeout"],
    [new TypeError("canary"), "other"],
    ["canary", "other"],
  ];
  for (const [error, type] of types) it(type, () => expect(errorType(error)).to.equal(type));
});

describe("observed repositories", () => {
  const { mysql } = mysqlConfig(minimal);

  it("are the plain ones when nobody looks", () => {
    const { meetings } = observedRepositories(new Operations(NO_INSTRUMENTS, mysql))({} as never);
    expect(Object.getPrototypeOf(meetings)).to.equal(REPOSITORIES.meetings.prototype);
  });

  it("run every operation in a span of its name, what asks the database nothing apart", async () => {
    const telemetry = new RecordedTelemetry();
    const repositories = observedRepositories(new Operations(telemetry.instruments(), mysql))({} as never);
    const names: string[] = [];
    for (const [room, { prototype }] of Object.entries(REPOSITORIES))
      for (const method of Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor")) {
        if (method !== "calculateCapacity") names.push(`${room}.${method}`);
        const call = Reflect.get(Reflect.get(repositories, room), method).bind(Reflect.get(repositories, room));
        // Without a database and without arguments each fails in its own way.
        try {
          await call(method === "calculateCapacity" ? { publishers: 1, viewers: 1 } : undefined);
        } catch (error) {
          expect(error).to.be.instanceOf(Error);
        }
      }
    expect(names).to.include.members(["fleet.allocate", "meetings.describe", "media.createConsumers"]);
    expect(telemetry.spans.map(({ name }) => name)).to.have.members(names);
    expect(telemetry.spansNamed("meetings.describe")[0]).to.deep.include({
      kind: "client",
      attributes: {
        "db.system.name": "mysql",
        "db.namespace": "doordarshan",
        "server.address": "127.0.0.1",
        "server.port": 3306,
        "db.operation.name": "describe",
        "db.query.summary": "meetings.describe",
      },
    });
  });
});

describe("the samples of the fleet", () => {
  it("name 100 tenants and add up the rest", () => {
    const tenants = Array.from({ length: 130 }, (_, i) => `t${i}`);
    const containers = tenants.map((tenant, i) => ({ tenant, amount: String(200 - i) }));
    const loads = tenants.map((tenant) => ({ tenant, capacity: "500", used: "10" }));
    const samples = toSamples(containers, loads, [{ tenant: "t129", role: "producer", amount: "4" }]);
    expect(samples.containers).to.have.length(101);
    // 100 down to 71.
    expect(samples.containers.at(-1)).to.deep.equal({ value: 2_565, attributes: { tenant: "other" } });
    const others = samples.capacity.filter(({ attributes }) => attributes?.tenant === "other");
    expect(others).to.have.deep.members([
      { value: 30 * 500, attributes: { tenant: "other", state: "limit" } },
      { value: 30 * 10 - 4, attributes: { tenant: "other", state: "used" } },
      { value: 4, attributes: { tenant: "other", state: "reserved", role: "producer" } },
    ]);
  });

  it("of no tenant have none", () => {
    const { containers } = toSamples([{ tenant: null, amount: 2 }], [], []);
    expect(containers).to.deep.equal([{ value: 2, attributes: {} }]);
  });
});
