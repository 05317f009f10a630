package quipu.bench;

/** A record of the original system: the count of one counter of one instance. */
public record Counter(String type, String name, long count, String timestamp) {
    Counter plus(Counter other) {
        return new Counter(type, name, count + other.count, other.timestamp);
    }

    Counter minus(Counter other) {
        return new Counter(type, name, count - other.count, other.timestamp);
    }
}
