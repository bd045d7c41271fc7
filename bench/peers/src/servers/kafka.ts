// Apache Kafka, one KRaft node, from the jars of Maven Central, with the options of the JVM that Kafka's own start
// scripts use. What differs from the defaults is what one node needs, and quick group joins.

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaClassPath } from "../fetch.js";
import { freePort, type RunningServer, ServerProcess, type ServerRequest } from "./server.js";

/** bin/kafka-run-class.sh and bin/kafka-server-start.sh. */
const jvm = [
  "-Xmx1G",
  "-Xms1G",
  "-server",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
  "-Djava.awt.headless=true",
] as const;
const FORMAT_TIMEOUT_MS = 60_000;

const log4j = `<Configuration status="WARN"><Appenders><Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="out"/></Root><Logger name="kafka.server.KafkaRaftServer" level="INFO"/><Logger name="org.apache.kafka.server" level="WARN"/></Loggers></Configuration>
`;

function properties(directory: string, [port, controller]: readonly [number, number]): string[] {
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${controller}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.listener.names=CONTROLLER",
    `log.dirs=${join(directory, "data")}`,
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "share.coordinator.state.topic.replication.factor=1",
    "group.initial.rebalance.delay.ms=0",
    "log.segment.delete.delay.ms=0",
  ];
}

export async function startKafka(request: ServerRequest): Promise<RunningServer> {
  const { directory, logFile, durability } = request;
  const classPath = kafkaClassPath();
  const ports = [await freePort(), await freePort()] as const;
  const strict = durability === "strict" ? ["log.flush.interval.messages=1"] : [];
  const config = join(directory, "server.properties");
  const logging = join(directory, "log4j2.xml");
  writeFileSync(config, [...properties(directory, ports), ...strict, ""].join("\n"));
  writeFileSync(logging, log4j);
  const clusterId = randomBytes(16).toString("base64url");
  const formatted = spawnSync(
    "java",
    ["-cp", classPath, "kafka.tools.StorageTool", "format", "-t", clusterId, "-c", config],
    { encoding: "utf8", timeout: FORMAT_TIMEOUT_MS },
  );
  if (formatted.status !== 0) {
    throw new Error(`kafka.tools.StorageTool failed: ${formatted.stderr}${formatted.stdout}`);
  }
  const server = ServerProcess.spawn(
    [
      "java",
      ...jvm,
      `-Dlog4j2.configurationFile=${logging}`,
      "-cp",
      classPath,
      "kafka.Kafka",
      config,
    ],
    { logFile },
  );
  await server.orStop(async () => {
    await server.listening(ports[0]);
    await server.logged(/Kafka Server started/);
  });
  return {
    address: `127.0.0.1:${ports[0]}`,
    pid: server.pid,
    configuration: {
      jvm: jvm.join(" "),
      ...Object.fromEntries(strict.map((line) => line.split("=") as [string, string])),
    },
    topicConfig: {},
    stop: () => server.stop(),
  };
}
