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

/** A counter as JSON, by Jackson with a reader and a writer made once. */
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
                // Quipu's own reports stand on the topic too, one a second; they are no counters to the origin.
                return counter.name() == null ? null : counter;
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        };
    }
}
