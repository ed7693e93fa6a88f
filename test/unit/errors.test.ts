import { inspect } from "node:util";
import { expect } from "chai";
import * as errors from "../../src/errors.js";

const driver = new errors.DriverError("Deadlock found", {
  errno: 1213,
  sqlState: "40001",
  driverCode: "ER_LOCK_DEADLOCK",
});

const examples: errors.DataError[] = [
  driver,
  new errors.ConfigError([{ variable: "MYSQL_PORT", problem: "must be a number" }]),
  new errors.ConfigNilError(),
  new errors.CredentialError("MYSQL_SECRET_FILE", "/run/secret", "is empty"),
  new errors.ClientNilError("redis", "new"),
  new errors.RedisPingError("no answer"),
  new errors.MysqlPingError("no answer"),
  new errors.PendingMigrationsError(["CreateMeetingTables1"]),
  new errors.MigrationLockError("held"),
  new errors.MigrationHistoryError([{ name: "AddTriggers1", problem: "edited" }]),
  new errors.MigrationTableError("migrations", driver),
  new errors.MigrationSettingError("sql_generate_invisible_primary_key", driver),
  new errors.MigrationFailedError("AddTriggers1", "meeting_status", driver),
  new errors.MigrationBlockedError("AddTriggers1", "meeting_status", ""),
  new errors.AdoptionError([{ table: "router_meeting", problem: "lacks a column" }]),
  new errors.DataLossError([{ table: "meeting_status", rows: 3 }]),
  new errors.MissingPackageError("prom-client", "^15.1.0", "doordarshan-data/prometheus"),
  new errors.StartupError("mysql", "mysql", new errors.MysqlPingError("no answer")),
  new errors.InvalidInputError("meetingId", "must not be empty"),
  new errors.OperationAbortedError("aborted"),
  new errors.DeadlineExceededError("late"),
  new errors.AcquireTimeoutError("full"),
  new errors.QueryError(driver),
  new errors.ReadOnlyError(driver),
  new errors.TransactionRetriesError(6, driver),
  new errors.CommitUnknownError("lost"),
  new errors.NotStoredError("down"),
  new errors.PublishUnknownError("lost"),
  new errors.BackpressureError("full"),
  new errors.RedisCommandError("XADD", driver),
  new errors.MeetingNotFoundError("m"),
  new errors.HostNotFoundError("m"),
  new errors.ContainerNotFoundError("c"),
  new errors.ContainerNotAliveError("c"),
  new errors.ContainerInUseError("c"),
  new errors.WorkerNotFoundError("w", "c"),
  new errors.NoCapacityError("t", "4 producers and 12 consumers"),
  new errors.ReservationNotFoundError("r"),
  new errors.IdTakenError("routerId"),
  new errors.ParticipantNotFoundError("m", "p"),
  new errors.ParticipantElsewhereError("m", "p"),
  new errors.RouterNotFoundError("m", "producer", "r"),
  new errors.TransportNotFoundError("p", "consumer", "t"),
  new errors.TransportExistsError("p", "consumer", "t"),
];

describe("the error tree", () => {
  it("has an example here of every class it exports", () => {
    const classes = Object.values(errors).filter(
      (value) => typeof value === "function" && value.prototype instanceof errors.DataError,
    );
    expect(examples.map((e) => e.name)).to.have.members(classes.map((c) => c.name));
  });

  it("gives each class a code of its own, the founding document's where it names one", () => {
    const codes = examples.map((e) => e.code);
    expect(new Set(codes).size).to.equal(codes.length);
    expect(codes).to.include.members(["ErrConfigNil", "ErrClientNil", "ErrPingingRedisCluster"]);
    for (const code of codes) expect(code).to.match(/^Err[A-Z]/);
  });

  it("names itself, is an Error and serialises with code and causes", () => {
    for (const error of examples)
      expect(error).to.be.instanceOf(errors.DataError).with.property("name", error.constructor.name);
    const json = JSON.parse(JSON.stringify(new errors.StartupError("mysql", "mysql", new errors.QueryError(driver))));
    expect(json).to.include({ code: "ErrStartup", stage: "mysql", store: "mysql" });
    expect(json.cause).to.include({ code: "ErrQuery", errno: 1213 });
    expect(json.cause.cause).to.include({ driverCode: "ER_LOCK_DEADLOCK", sqlState: "40001" });
  });

  it("keeps a message on one line, as foreign text in it may hold line breaks", () => {
    const error = new errors.MysqlPingError("Duplicate entry 'a\r\nb\u2028c\u0000d' for key");
    expect(error.message).to.equal("Duplicate entry 'a b c d' for key");
    expect(inspect(error).split("\n")[0]).to.include("Duplicate entry 'a b c d' for key");
  });
});
