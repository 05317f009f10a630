package quipu.bench;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** Encodes counters as JSON with Jackson; the reader and the writer are created once. */
final class CounterSerde implements Serde<Counter> {
    private static final ObjectReader READER =
            new ObjectMapper().readerFor(Counter.class).without(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    private static final ObjectWriter WRITER = new ObjectMapper().writerFor(Counter.class);

    @Override
    public Serializer<Counter> serializer() {
        return (topic, counter) -> {
            try {
                return counter == null ? null : WRITER.writeValueAsBytes(counter);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        };
    }

    @Override
    public Deserializer<Counter> deserializer() {
        return (topic, json) -> {
            try {
                if (json == null) {
                    return null;
                }
                Counter counter = READER.readValue(json);
                // The topic also has Quipu's own reports, one per second; the original topology can't count them.
                return counter.name() == null ? null : counter;
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        };
    }
}
