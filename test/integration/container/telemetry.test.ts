import { expect } from "chai";
import { type Container, createContainer, loadConfig, type Sample, withLogFields } from "../../../src/index.js";
import { type Gauge, METRICS } from "../../../src/telemetry/metrics.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
} from "../../../src/testing/index.js";
import { RecordedTelemetry } from "../../support/recordedTelemetry.js";
import { recordingLogger } from "../../support/recordingLogger.js";

const CANARY = "canary-s3cret";
/** Ends a line, begins another, and colours a terminal. */
const ATTACK = 'x\n{"level":50,"msg":"forged"}\r\u001b[31m\u2028';

describe("a container's telemetry", function () {
  this.timeout(120_000);
  let mysql: MysqlServer;
  let redis: RedisServer;
  let environment: Record<string, string>;
  let container: Container;
  let telemetry: RecordedTelemetry;
  let logger: ReturnType<typeof recordingLogger>;

  before(async () => {
    [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
    ({ environment } = await createDatabase({ ...mysql.environment, ...redis.environment }));
  });
  afterEach(async () => {
    await mysql.resume();
    await container.stop();
  });
  after(() => Promise.all([mysql?.stop(), redis?.stop()]));

  function make(changes: Record<string, string> = {}): Container {
    telemetry = new RecordedTelemetry();
    logger = recordingLogger();
    container = createContainer(loadConfig({ ...environment, ...changes }), { logger, telemetry: [telemetry] });
    return container;
  }

  async function shown(metric: Gauge): Promise<readonly Sample[]> {
    const readers = [...(telemetry.gauges.get(metric) ?? [])];
    return (await Promise.all(readers.map((read) => read()))).flat();
  }

  async function registerFleet(): Promise<void> {
    const { fleet, meetings } = container.repositories;
    const node = (tenant: string, id: string) => ({
      containerId: id,
      host: "h",
      tenant,
      workerIds: [`${id}1`, `${id}2`],
    });
    for (const [tenant, id] of [
      ["acme", "a"],
      ["acme", "b"],
      ["beta", "c"],
      ["gone", "d"],
      ["dead", "e"],
    ] as const)
      await fleet.registerContainer(node(tenant, id));
    await container.dataSource.query("UPDATE container_heartbeat SET heartbeat = 1 WHERE container_id = 'd'");
    const minuteAgo = "UPDATE container_heartbeat SET heartbeat = heartbeat - 60000000000 WHERE container_id = 'e'";
    await container.dataSource.query(minuteAgo);
    const routers = [
      { routerId: "r1", workerId: "c1", producerCapacity: 10 },
      { routerId: "r2", workerId: "c2", consumerCapacity: 20 },
    ];
    await meetings.create({ meetingId: "m-fleet", containerId: "c", routers });
    await fleet.allocate({ tenant: "beta", producerCapacity: 4, consumerCapacity: 8 });
  }

  it("shows how long the start took and whether it is ready, and nothing once it has stopped", async () => {
    make();
    const starting = container.start();
    await starting;
    const [took] = await shown(METRICS.containerStart);
    expect(took?.value).to.be.within(0.001, 10);
    expect(await shown(METRICS.containerReady)).to.deep.equal([{ value: 1 }]);
    const ready = [...(telemetry.gauges.get(METRICS.containerReady) ?? [])];
    await container.stop();
    expect(await ready[0]?.()).to.deep.equal([{ value: 0 }]);
    expect([...telemetry.gauges.values()].every(({ size }) => size === 0)).to.equal(true);
    await container.start();
    expect(await shown(METRICS.containerReady)).to.deep.equal([{ value: 1 }]);
  });

  it("shows that it is not ready while a store does not answer, before a scrape gives up", async () => {
    await make().start();
    await mysql.pause();
    const began = performance.now();
    expect(await shown(METRICS.containerReady)).to.deep.equal([{ value: 0 }]);
    expect(performance.now() - began).to.be.below(2_000);
  });

  it("leaves no gauge behind when the start fails", async () => {
    await make({ MYSQL_PASSWORD: "wrong" })
      .start()
      .catch(() => undefined);
    expect(telemetry.gauges.get(METRICS.containerReady)?.size).to.equal(0);
    expect([...telemetry.gauges.values()].every(({ size }) => size === 0)).to.equal(true);
  });

  it("shows the fleet's live nodes and their capacity by tenant, and asks for them no more than every 15 s", async () => {
    await make().start();
    await registerFleet();
    const [containers, capacity] = await Promise.all([shown(METRICS.fleetContainers), shown(METRICS.fleetCapacity)]);
    expect(containers).to.have.deep.members([
      { value: 2, attributes: { tenant: "acme" } },
      { value: 1, attributes: { tenant: "beta" } },
      { value: 0, attributes: { tenant: "dead" } },
    ]);
    expect(capacity).to.have.deep.members([
      { value: 2_000, attributes: { tenant: "acme", state: "limit" } },
      { value: 0, attributes: { tenant: "acme", state: "used" } },
      { value: 1_000, attributes: { tenant: "beta", state: "limit" } },
      { value: 30, attributes: { tenant: "beta", state: "used" } },
      { value: 4, attributes: { tenant: "beta", state: "reserved", role: "producer" } },
      { value: 8, attributes: { tenant: "beta", state: "reserved", role: "consumer" } },
    ]);
    expect(await shown(METRICS.fleetContainers)).to.deep.equal(containers);
    expect(telemetry.total(METRICS.operationDuration, { "db.query.summary": "fleet.gauges" })).to.equal(3);
  });

  it("shows no fleet, in time, while the database does not answer, and says why once", async () => {
    await make().start();
    await mysql.pause();
    const began = performance.now();
    expect(await Promise.all([shown(METRICS.fleetContainers), shown(METRICS.fleetCapacity)])).to.deep.equal([[], []]);
    expect(performance.now() - began).to.be.below(2_500);
    expect(logger.lines.filter(({ fields }) => "event" in fields && fields.event === "mysql.fleet")).to.have.length(1);
  });

  it("traces a transaction with the operations within", async () => {
    await make().start();
    await container.transaction(async ({ repositories }) => {
      await repositories.meetings.exists("m-traced");
      await repositories.fleet.listContainers();
    });
    const [transaction] = telemetry.spansNamed("container.transaction");
    expect(transaction).to.deep.include({ kind: "client", parentId: undefined });
    expect(transaction?.attributes).to.include({ "db.system.name": "mysql", "server.port": mysql.port });
    for (const name of ["meetings.exists", "fleet.listContainers"])
      expect(telemetry.spansNamed(name)[0]).to.include({ parentId: transaction?.spanId });
    expect(telemetry.total(METRICS.transactions, { outcome: "committed" })).to.equal(1);
  });

  it("holds no secret and no id, whatever goes wrong and however slow it is", async () => {
    const { MYSQL_USERNAME, MYSQL_PASSWORD, MYSQL_ENDPOINT, MYSQL_PORT, MYSQL_DB_NAME, ...others } = environment;
    const dsn = (password: string) =>
      `${MYSQL_USERNAME}:${password}@tcp(${MYSQL_ENDPOINT}:${MYSQL_PORT})/${MYSQL_DB_NAME}`;
    const everything: string[] = [];
    const keep = async () => everything.push(JSON.stringify(logger.lines), await telemetry.text());
    environment = others;
    try {
      await make({ MYSQL_CONNECTION_STRING: dsn(CANARY) })
        .start()
        .catch(() => undefined);
      await keep();
      await make({ MYSQL_CONNECTION_STRING: dsn(MYSQL_PASSWORD ?? ""), SLOW_OPERATION_IN_MILLISECONDS: "1" }).start();
    } finally {
      environment = { ...others, MYSQL_USERNAME, MYSQL_PASSWORD, MYSQL_ENDPOINT, MYSQL_PORT, MYSQL_DB_NAME } as never;
    }
    const { meetings, fleet } = container.repositories;
    const fails = (promise: Promise<unknown>) =>
      promise.then(
        () => expect.fail("did not fail"),
        () => undefined,
      );
    await fails(meetings.describe(CANARY));
    await fails(meetings.describe(`${CANARY}\n`));
    await fleet.registerContainer({ containerId: CANARY, host: CANARY, tenant: "t", workerIds: [] });
    await fails(container.dataSource.query(`SELECT '${CANARY}' FROM ${CANARY.replace("-", "_")}`));
    await fails(container.dataSource.query("INSERT INTO container_heartbeat (container_id) VALUES (?)", [CANARY]));
    await fails(container.dataSource.query("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = ?", [CANARY]));
    await container.dataSource.query("SELECT SLEEP(0.01), ?", [CANARY]);
    await fleet.removeContainer(CANARY);
    await container.stop();
    await keep();
    expect(everything.join()).to.contain("mysql.slow").and.contain("ErrQuery").and.contain("mysql.error");
    expect(everything.join()).to.not.contain(CANARY).and.not.contain("canary");
    expect(everything.join()).to.not.contain(MYSQL_PASSWORD);
  });

  it("writes one line for one event, with the caller's fields, whatever is in them", async () => {
    await withLogFields({ requestId: ATTACK, [ATTACK]: true }, () => make().start());
    container.logger.warn({ event: "x", error: new Error(ATTACK) }, ATTACK);
    await container.stop();
    const started = logger.lines.filter(({ fields }) => "requestId" in fields);
    expect(started.map(({ fields }) => Reflect.get(fields, "event"))).to.include.members([
      "mysql.credentials",
      "mysql.connected",
      "start.done",
    ]);
    for (const { fields, message } of logger.lines) {
      const texts: string[] = [message];
      JSON.stringify(fields, (key, value) => {
        texts.push(key, typeof value === "string" ? value : "");
        return value;
      });
      for (const text of texts) expect(text).to.not.match(/[\p{Cc}\u2028\u2029]/u);
    }
  });
});
