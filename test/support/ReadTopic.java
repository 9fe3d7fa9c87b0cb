import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Prints the records of a topic as Kafka's Java consumer reads them. A line has partition, offset,
 * timestamp, key, value, and names and values of the headers; texts in base64, `-` = null.
 */
public final class ReadTopic {
  public static void main(String[] arguments) {
    String topic = arguments[1];
    Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "check.crcs", "true");
    ByteArrayDeserializer bytes = new ByteArrayDeserializer();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(partition -> new TopicPartition(topic, partition.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        consumer.poll(Duration.ofMillis(500)).forEach(ReadTopic::print);
      }
    }
  }

  private static void print(
      org.apache.kafka.clients.consumer.ConsumerRecord<byte[], byte[]> record) {
    List<String> fields = new ArrayList<>();
    fields.add(String.valueOf(record.partition()));
    fields.add(String.valueOf(record.offset()));
    fields.add(String.valueOf(record.timestamp()));
    fields.add(encoded(record.key()));
    fields.add(encoded(record.value()));
    record
        .headers()
        .forEach(
            header -> {
              fields.add(encoded(header.key().getBytes(StandardCharsets.UTF_8)));
              fields.add(encoded(header.value()));
            });
    System.out.println("record " + String.join(" ", fields));
  }

  private static String encoded(byte[] bytes) {
    return bytes == null ? "-" : "=" + Base64.getEncoder().encodeToString(bytes);
  }
}
