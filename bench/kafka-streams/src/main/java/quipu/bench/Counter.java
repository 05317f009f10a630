package quipu.bench;

/** The origin's record: what one instance counted under one name. */
public record Counter(String type, String name, long count, String timestamp) {
    Counter plus(Counter other) {
        return new Counter(type, name, count + other.count, other.timestamp);
    }

    Counter minus(Counter other) {
        return new Counter(type, name, count - other.count, other.timestamp);
    }
}
