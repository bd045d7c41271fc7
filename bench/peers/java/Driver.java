// A client process for Kafka's own Java client: takes the same job as the Node.js workers (src/job.ts) and answers with
// the same line of JSON. It exists beside the perf tools because those know neither an open loop nor reading what was
// just sent, and count the start of the JVM.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long READ_TIMEOUT_NANOS = 40_000_000_000L;
  private static final long DRAIN_TIMEOUT_NANOS = 20_000_000_000L;
  private static final long IDLE_MILLIS = 1_500;
  /** Records per second before a latency is measured; an idle topic alone would compile nothing. */
  private static final double WARM_RATE = 1_000;
  private static final long INDEXED_BYTES = 6 * 1024;
  private static final int TOPIC_TIMEOUT_MILLIS = 120_000;
  /**
   * Beyond so many partitions a batch of 1 MiB for each would be more than the memory for all of them: the default
   * size then, and memory for four of each of a thousand.
   */
  private static final int LARGE_BATCH_PARTITIONS_MAX = 16;
  /** Of each of many producers, which then have the default batch size: all of them have to fit one heap. */
  private static final int SMALL_BUFFER_BYTES = 256 * 1024;
  private static final int OPENING_AT_ONCE = 20;
  private static final int SAMPLES_MAX = 4_000_000;

  private final JsonNode job;
  private final JsonNode workload;
  private final String topic;
  private final int partitions;
  private final int recordBytes;
  private final List<byte[]> payloads;
  private final Admin admin;

  private Driver(JsonNode job) throws IOException {
    this.job = job;
    workload = job.get("workload");
    topic = job.get("topic").asText();
    partitions = workload.get("partitions").asInt();
    recordBytes = workload.get("recordBytes").asInt();
    payloads = split(Files.readAllBytes(Path.of(job.get("payloadFile").asText())), recordBytes);
    admin = Admin.create(connection());
  }

  public static void main(String[] arguments) throws Exception {
    try {
      Driver driver = new Driver(JSON.readTree(arguments[0]));
      System.out.println(driver.run());
      driver.admin.close(Duration.ofSeconds(2));
      System.exit(0);
    } catch (Throwable failure) {
      failure.printStackTrace();
      // Other threads would keep the process alive.
      System.exit(1);
    }
  }

  private JsonNode run() throws Exception {
    admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    // Answers once every partition has its log: making a thousand of them takes a while that is not producing.
    storedRecords();
    switch (workload.get("kind").asText()) {
      case "produce":
        return produce();
      case "awaited":
        return single(1);
      case "pipelined":
        return single(job.get("recordsInFlight").asInt());
      case "latency":
        return openLoop();
      case "connections":
        return connections();
      default:
        throw new IllegalArgumentException(workload.toString());
    }
  }

  /** A stretch of work: time, and CPU of this process and of the server, from begin to end. */
  private final class Meter {
    private final long start = System.nanoTime();
    private final long client = clientCpuNanos();
    private final double server = serverCpuSeconds();

    ObjectNode end(long records, long bytes, double[] latencies) {
      ObjectNode phase = JSON.createObjectNode();
      phase.put("records", records).put("bytes", bytes);
      phase.put("seconds", (System.nanoTime() - start) / 1e9);
      phase.put("clientCpuSeconds", (clientCpuNanos() - client) / 1e9);
      phase.put("serverCpuSeconds", serverCpuSeconds() - server);
      if (latencies != null && latencies.length > 0) {
        phase.set("latencyMs", summary(latencies));
      }
      return phase;
    }
  }

  private ObjectNode produce() throws Exception {
    KafkaProducer<byte[], byte[]> producer =
        producer((partitions > LARGE_BATCH_PARTITIONS_MAX ? 64 : 32) * 1024 * 1024);
    // Kafka makes the index of a partition with the first batch after 4 KiB: for a thousand of them that takes a while that
    // is not producing.
    long warmMin = partitions > 1 ? partitions * INDEXED_BYTES / recordBytes : 0;
    long warm = sendFor(producer, 0, warmMin);
    warm += sendFor(producer, job.get("warmUpSeconds").asDouble(), warmMin);
    Meter meter = new Meter();
    long sent = sendFor(producer, job.get("seconds").asDouble(), 0);
    ObjectNode phase = meter.end(sent, sent * recordBytes, null);
    producer.close();
    ObjectNode answer = JSON.createObjectNode();
    answer.set("produce", phase);
    long stored = readBack(warm + sent, answer);
    if (workload.get("group").asText().equals("core")) {
      // That was the proof, and the warm-up.
      stored = readBack(warm + sent, answer);
    }
    admin.deleteTopics(List.of(topic)).all().get();
    return answer.put("acknowledged", warm + sent).put("stored", stored).put("storedBy", "reading");
  }

  /** As fast as the client takes them, at least {@code recordsMin}; ends when all are acknowledged. */
  private long sendFor(KafkaProducer<byte[], byte[]> producer, double seconds, long recordsMin) {
    AtomicReference<Exception> failure = new AtomicReference<>();
    long end = System.nanoTime() + (long) (seconds * 1e9);
    long recordsMax = job.get("maxBytes").asLong() / recordBytes;
    long sent = 0;
    while (sent < recordsMax && failure.get() == null && ((sent & 63) != 0 || sent < recordsMin || System.nanoTime() < end)) {
      byte[] value = payloads.get((int) (sent % payloads.size()));
      Integer partition = (int) (sent % partitions);
      producer.send(
          new ProducerRecord<>(topic, partition, null, value),
          (metadata, error) -> failure.compareAndSet(null, error));
      sent++;
    }
    producer.flush();
    if (failure.get() != null) {
      throw new IllegalStateException(failure.get());
    }
    return sent;
  }

  private long readBack(long expected, ObjectNode answer) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      consumer.seekToBeginning(consumer.assignment());
      long deadline = System.nanoTime() + READ_TIMEOUT_NANOS;
      long records = 0;
      long bytes = 0;
      Meter meter = null;
      while (records < expected) {
        if (System.nanoTime() > deadline) {
          throw new IllegalStateException("read " + records + " of " + expected + " records");
        }
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          if (meter == null) {
            meter = new Meter();
          }
          records++;
          bytes += record.value().length;
        }
      }
      answer.set("consume", (meter == null ? new Meter() : meter).end(records, bytes, null));
      return records;
    }
  }

  private ObjectNode single(int width) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer = producer(32 * 1024 * 1024)) {
      long warm = sendBounded(producer, width, job.get("warmUpSeconds").asDouble(), null);
      Samples samples = new Samples();
      Meter meter = new Meter();
      long sent = sendBounded(producer, width, job.get("seconds").asDouble(), samples);
      ObjectNode answer = JSON.createObjectNode();
      answer.set("produce", meter.end(sent, sent * recordBytes, samples.values()));
      return counted(answer, warm + sent);
    }
  }

  private long sendBounded(
      KafkaProducer<byte[], byte[]> producer, int width, double seconds, Samples samples) throws Exception {
    Semaphore room = new Semaphore(width);
    AtomicReference<Exception> failure = new AtomicReference<>();
    long end = System.nanoTime() + (long) (seconds * 1e9);
    long sent = 0;
    for (long now = System.nanoTime(); now < end && failure.get() == null; now = System.nanoTime()) {
      room.acquire();
      long before = System.nanoTime();
      producer.send(
          new ProducerRecord<>(topic, 0, null, payloads.get((int) (sent % payloads.size()))),
          (metadata, error) -> {
            failure.compareAndSet(null, error);
            if (samples != null) {
              samples.add((System.nanoTime() - before) / 1e6);
            }
            room.release();
          });
      sent++;
    }
    room.acquire(width);
    if (failure.get() != null) {
      throw failure.get();
    }
    return sent;
  }

  /** One stretch of the open loop: latencies by number, -1 until it is there. */
  private static final class Stretch {
    final int base;
    final long start = System.nanoTime();
    final double gapNanos;
    final double[] arrived;
    final double[] acknowledged;
    final AtomicInteger arrivals = new AtomicInteger();
    final AtomicInteger acknowledgements = new AtomicInteger();

    Stretch(int base, double ratePerSecond, double seconds) {
      this.base = base;
      gapNanos = 1e9 / ratePerSecond;
      int total = Math.max(1, (int) Math.round(ratePerSecond * seconds));
      arrived = new double[total];
      acknowledged = new double[total];
      Arrays.fill(arrived, -1);
    }

    double sinceDueMs(int index) {
      return (System.nanoTime() - start - index * gapNanos) / 1e6;
    }

    int due() {
      return (int) Math.min(arrived.length, (long) ((System.nanoTime() - start) / gapNanos + 1e-9) + 1);
    }
  }

  private ObjectNode openLoop() throws Exception {
    double rate = workload.get("ratePerSecond").asDouble();
    AtomicReference<Stretch> current = new AtomicReference<>();
    AtomicReference<Boolean> running = new AtomicReference<>(true);
    CompletableFuture<Void> ready = new CompletableFuture<>();
    Thread reader =
        new Thread(
            () -> {
              try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
                consumer.seekToBeginning(consumer.assignment());
                consumer.assignment().forEach(consumer::position);
                ready.complete(null);
                while (running.get()) {
                  for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    arrived(current.get(), record.value());
                  }
                }
              } catch (RuntimeException error) {
                ready.completeExceptionally(error);
              }
            });
    reader.start();
    ready.get();
    try (KafkaProducer<byte[], byte[]> producer = producer(32 * 1024 * 1024)) {
      Stretch warm = new Stretch(0, Math.max(rate, WARM_RATE), job.get("warmUpSeconds").asDouble());
      sendDue(producer, warm, current);
      Stretch stretch = new Stretch(warm.arrived.length, rate, job.get("seconds").asDouble());
      Meter meter = new Meter();
      sendDue(producer, stretch, current);
      long sent = stretch.arrived.length;
      ObjectNode answer = JSON.createObjectNode();
      answer.set("produce", meter.end(sent, sent * recordBytes, null));
      answer.set("endToEndMs", summary(stretch.arrived));
      answer.set("acknowledgedMs", summary(stretch.acknowledged));
      running.set(false);
      reader.join();
      return counted(answer, warm.arrived.length + sent);
    }
  }

  private static void arrived(Stretch stretch, byte[] value) {
    int index = (int) ByteBuffer.wrap(value).getDouble() - stretch.base;
    if (index >= 0 && index < stretch.arrived.length && stretch.arrived[index] == -1) {
      stretch.arrived[index] = stretch.sinceDueMs(index);
      stretch.arrivals.incrementAndGet();
    }
  }

  private void sendDue(
      KafkaProducer<byte[], byte[]> producer, Stretch stretch, AtomicReference<Stretch> current) throws Exception {
    current.set(stretch);
    AtomicReference<Exception> failure = new AtomicReference<>();
    int total = stretch.arrived.length;
    for (int sent = 0; sent < total && failure.get() == null; ) {
      for (int due = stretch.due(); sent < due; sent++) {
        int index = sent;
        byte[] value = payloads.get(index % payloads.size()).clone();
        ByteBuffer.wrap(value).putDouble(stretch.base + index);
        producer.send(
            new ProducerRecord<>(topic, 0, null, value),
            (metadata, error) -> {
              failure.compareAndSet(null, error);
              stretch.acknowledged[index] = stretch.sinceDueMs(index);
              stretch.acknowledgements.incrementAndGet();
            });
      }
      // The same tick as in the Node.js clients.
      LockSupport.parkNanos(1_000_000);
    }
    long deadline = System.nanoTime() + DRAIN_TIMEOUT_NANOS;
    while (failure.get() == null && (stretch.arrivals.get() < total || stretch.acknowledgements.get() < total)) {
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            "of " + total + " records " + stretch.acknowledgements + " were acknowledged, " + stretch.arrivals + " consumed");
      }
      Thread.sleep(2);
    }
    if (failure.get() != null) {
      throw failure.get();
    }
  }

  private ObjectNode connections() throws Exception {
    int count = workload.get("connections").asInt();
    long before = serverMemoryBytes();
    List<KafkaProducer<byte[], byte[]>> producers = openAll(count);
    Thread.sleep(IDLE_MILLIS);
    long idle = serverMemoryBytes();
    ExecutorService lanes = Executors.newFixedThreadPool(count);
    long warm = sendEach(producers, lanes, job.get("warmUpSeconds").asDouble(), null);
    Samples samples = new Samples();
    Meter meter = new Meter();
    long sent = sendEach(producers, lanes, job.get("seconds").asDouble(), samples);
    ObjectNode answer = JSON.createObjectNode();
    answer.set("produce", meter.end(sent, sent * recordBytes, samples.values()));
    answer.set("connectionMemory", JSON.createObjectNode().put("beforeBytes", before).put("idleBytes", idle));
    lanes.shutdownNow();
    return counted(answer, count + warm + sent);
  }

  private List<KafkaProducer<byte[], byte[]>> openAll(int count) throws Exception {
    ExecutorService opening = Executors.newFixedThreadPool(OPENING_AT_ONCE);
    List<Future<KafkaProducer<byte[], byte[]>>> opened = new ArrayList<>();
    for (int index = 0; index < count; index++) {
      opened.add(
          opening.submit(
              () -> {
                KafkaProducer<byte[], byte[]> producer = producer(SMALL_BUFFER_BYTES);
                producer.send(new ProducerRecord<>(topic, 0, null, payloads.get(0))).get();
                return producer;
              }));
    }
    List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
    for (Future<KafkaProducer<byte[], byte[]>> producer : opened) {
      producers.add(producer.get());
    }
    opening.shutdown();
    return producers;
  }

  private long sendEach(
      List<KafkaProducer<byte[], byte[]>> producers, ExecutorService lanes, double seconds, Samples samples)
      throws Exception {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    AtomicLong total = new AtomicLong();
    List<Future<Object>> running = new ArrayList<>();
    for (KafkaProducer<byte[], byte[]> producer : producers) {
      running.add(
          lanes.submit(
              () -> {
                for (long now = System.nanoTime(); now < end; now = System.nanoTime()) {
                  producer.send(new ProducerRecord<>(topic, 0, null, payloads.get(0))).get();
                  total.incrementAndGet();
                  if (samples != null) {
                    samples.add((System.nanoTime() - now) / 1e6);
                  }
                }
                return null;
              }));
    }
    for (Future<Object> lane : running) {
      lane.get();
    }
    return total.get();
  }

  private long storedRecords() throws Exception {
    Map<TopicPartition, OffsetSpec> latest =
        topicPartitions().stream().collect(Collectors.toMap(each -> each, each -> OffsetSpec.latest()));
    ListOffsetsOptions options = new ListOffsetsOptions().timeoutMs(TOPIC_TIMEOUT_MILLIS);
    return admin.listOffsets(latest, options).all().get().values().stream().mapToLong(each -> each.offset()).sum();
  }

  /** Completes the answer with the server's own count, and removes the topic. */
  private ObjectNode counted(ObjectNode answer, long acknowledged) throws Exception {
    long stored = storedRecords();
    admin.deleteTopics(List.of(topic)).all().get();
    return answer.put("acknowledged", acknowledged).put("stored", stored).put("storedBy", "counting");
  }

  private List<TopicPartition> topicPartitions() {
    return IntStream.range(0, partitions).mapToObj(index -> new TopicPartition(topic, index)).collect(Collectors.toList());
  }

  private Properties connection() {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", job.get("address").asText());
    return properties;
  }

  private KafkaProducer<byte[], byte[]> producer(long bufferBytes) {
    Properties properties = connection();
    properties.put("acks", "all");
    properties.put("linger.ms", job.get("lingerMs").asInt());
    properties.put("batch.size", batchBytes(bufferBytes));
    properties.put("buffer.memory", bufferBytes);
    properties.put("max.in.flight.requests.per.connection", job.get("batchesInFlight").asInt());
    properties.put("compression.type", workload.get("codec").asText());
    return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private int batchBytes(long bufferBytes) {
    if (bufferBytes <= SMALL_BUFFER_BYTES) {
      return 16 * 1024;
    }
    return partitions > LARGE_BATCH_PARTITIONS_MAX ? 16 * 1024 : 1024 * 1024;
  }

  private KafkaConsumer<byte[], byte[]> consumer() {
    Properties properties = connection();
    properties.put("enable.auto.commit", false);
    properties.put("max.poll.records", 10_000);
    KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    consumer.assign(topicPartitions());
    return consumer;
  }

  private static final class Samples {
    private double[] values = new double[1024];
    private int length;

    synchronized void add(double value) {
      if (length == values.length && length < SAMPLES_MAX) {
        values = Arrays.copyOf(values, length * 2);
      }
      if (length < values.length) {
        values[length++] = value;
      }
    }

    synchronized double[] values() {
      return Arrays.copyOf(values, length);
    }
  }

  /** Nearest rank, as in src/statistics.ts. */
  private static ObjectNode summary(double[] samples) {
    double[] sorted = samples.clone();
    Arrays.sort(sorted);
    ObjectNode result = JSON.createObjectNode().put("count", sorted.length);
    String[] names = {"p50", "p99", "p999", "max"};
    double[] shares = {0.5, 0.99, 0.999, 1};
    for (int index = 0; index < names.length; index++) {
      int rank = (int) Math.ceil(shares[index] * sorted.length - 1e-9);
      result.put(names[index], sorted[Math.max(0, rank - 1)]);
    }
    return result;
  }

  private static List<byte[]> split(byte[] all, int bytes) {
    List<byte[]> records = new ArrayList<>();
    for (int start = 0; start + bytes <= all.length; start += bytes) {
      records.add(Arrays.copyOfRange(all, start, start + bytes));
    }
    return records;
  }

  private static long clientCpuNanos() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  private double serverCpuSeconds() {
    double ticks = 0;
    for (JsonNode pid : job.get("serverPids")) {
      String stat = readOrEmpty("/proc/" + pid.asInt() + "/stat");
      if (!stat.isEmpty()) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        ticks += Double.parseDouble(fields[11]) + Double.parseDouble(fields[12]);
      }
    }
    return ticks / 100;
  }

  private long serverMemoryBytes() {
    long bytes = 0;
    for (JsonNode pid : job.get("serverPids")) {
      for (String line : readOrEmpty("/proc/" + pid.asInt() + "/status").split("\n")) {
        if (line.startsWith("VmRSS:")) {
          bytes += Long.parseLong(line.replaceAll("\\D", "")) * 1024;
        }
      }
    }
    return bytes;
  }

  private static String readOrEmpty(String path) {
    try {
      return Files.readString(Path.of(path));
    } catch (IOException gone) {
      return "";
    }
  }
}
