import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Properties;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

/**
 * Feeds the topology of docs/consumers.md with the records of stdin, and prints the values that it
 * forwards. Arguments: state folder, whether records have keys, whether they have fb-received. A
 * line is id, "1" or "0" for fb-resent, time of arrival and value, separated by tabs; an empty id =
 * no fb-id. The time is that of fb-received, and otherwise the timestamp of the record.
 */
public class Drive {
  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[0]);
    boolean keyed = Boolean.parseBoolean(args[1]);
    boolean stated = Boolean.parseBoolean(args[2]);
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var bytes = new ByteArraySerializer();
    var reader = new ByteArrayDeserializer();
    try (var driver = new TopologyTestDriver(UniqueEvents.topology("in", "out", keyed), settings)) {
      var in = driver.createInputTopic("in", bytes, bytes);
      var out = driver.createOutputTopic("out", reader, reader);
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] fields = line.split("\t");
        var headers = new RecordHeaders();
        if (stated) headers.add("fb-received", utf8(fields[2]));
        if (!fields[0].isEmpty()) headers.add("fb-id", utf8(fields[0]));
        if (fields[1].equals("1")) headers.add("fb-resent", utf8("1"));
        Instant timestamp = Instant.ofEpochMilli(stated ? 0 : Long.parseLong(fields[2]));
        in.pipeInput(new TestRecord<>(utf8("key"), utf8(fields[3]), headers, timestamp));
        while (!out.isEmpty()) System.out.println(new String(out.readValue(), StandardCharsets.UTF_8));
      }
    }
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
