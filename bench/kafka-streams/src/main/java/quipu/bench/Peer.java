package quipu.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The original topology: {@code table(metrics).groupBy(name).reduce(add, subtract).toStream().to(metrics-agg)}.
 *
 * <p>Arguments: brokers, guarantee, threads. Lines on standard input: {@code start APPLICATION INPUT OUTPUT FOLDER}
 * starts the topology and answers {@code running} when its tasks run; {@code stop} closes it and answers
 * {@code stopped}. It can be started again in the same JVM, which is then warm. The end of standard input ends the
 * process.
 */
public final class Peer {
    private static KafkaStreams streams;

    private Peer() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("start")) {
                start(arguments, words[1], words[2], words[3], words[4]);
                System.out.println("running");
            } else {
                // Otherwise a restart waits 45 s until the session of the closed member expires.
                streams.close(CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP)
                        .withTimeout(Duration.ofSeconds(60)));
                System.out.println("stopped");
            }
        }
    }

    private static void start(String[] arguments, String application, String input, String output, String folder)
            throws InterruptedException {
        Properties settings = settings(arguments[0], arguments[1], arguments[2], application, folder);
        streams = new KafkaStreams(topology(input, output, settings), settings);
        var running = new CountDownLatch(1);
        streams.setStateListener((state, before) -> {
            if (state == KafkaStreams.State.RUNNING) {
                running.countDown();
            }
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            System.exit(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        running.await();
    }

    private static Topology topology(String input, String output, Properties settings) {
        var builder = new StreamsBuilder();
        builder.table(input, Consumed.with(Serdes.String(), new CounterSerde()), store("counters"))
                .groupBy(
                        (key, counter) -> KeyValue.pair(counter.name(), counter),
                        Grouped.with(Serdes.String(), new CounterSerde()))
                .reduce(Counter::plus, Counter::minus, store("totals"))
                .toStream()
                .to(output, Produced.with(Serdes.String(), new CounterSerde()));
        return builder.build(settings);
    }

    /** The default store: RocksDB with a cache. */
    private static Materialized<String, Counter, KeyValueStore<Bytes, byte[]>> store(String name) {
        return Materialized.<String, Counter, KeyValueStore<Bytes, byte[]>>as(name)
                .withKeySerde(Serdes.String())
                .withValueSerde(new CounterSerde());
    }

    /** Larger caches, batches and fetches, and fewer commits: Kafka's documentation recommends them for throughput. */
    private static Properties settings(
            String brokers, String guarantee, String threads, String application, String folder) {
        var settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        // Quipu's interval. With exactly-once the default is 100 ms, which lowers the throughput.
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 32 << 20);
        // The source topic is also the changelog of its table.
        settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), -1);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        return settings;
    }
}
