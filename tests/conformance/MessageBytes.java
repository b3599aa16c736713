// Reads messages that print_messages wrote with Kafka's own classes, and writes them again: the bytes must be the same,
// and for records so must the JSON. Compares the errors, too. Prints every difference; ends with 1 when there is one.
//   build/dev/tests/protocol/print_messages 20 | java -cp 'JARS/*' tests/conformance/MessageBytes.java
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class MessageBytes {
    static final String[] PACKAGES = {
        "org.apache.kafka.common.message.", "org.apache.kafka.common.metadata.", "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.", "org.apache.kafka.coordinator.share.generated.",
        "org.apache.kafka.raft.generated.", "org.apache.kafka.server.log.remote.metadata.storage.generated.",
        "org.apache.kafka.storage.internals.log.generated.", "org.apache.kafka.storage.internals.log."};

    static Class<?> find(String name) {
        for (String prefix : PACKAGES)
            for (String suffix : new String[] {"Data", ""})
                try {
                    Class<?> found = Class.forName(prefix + name + suffix);
                    if (Message.class.isAssignableFrom(found)) return found;
                } catch (ClassNotFoundException absent) {
                    // the next one
                }
        return null;
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        ObjectMapper mapper = new ObjectMapper();
        Map<String, Integer> unknown = new TreeMap<>();
        int same = 0, different = 0, described = 0, errors = 0;
        for (String line; (line = in.readLine()) != null;) {
            String[] part = line.split("\t", -1);
            if (part[0].equals("!error")) {
                Errors error = Errors.forCode(Short.parseShort(part[1]));
                String kafka = error.name() + "\t" + (error.exception() instanceof RetriableException);
                errors++;
                if (!kafka.equals(part[2] + "\t" + part[3])) {
                    System.out.println("error " + part[1] + ": ours " + part[2] + " " + part[3] + ", Kafka's " + kafka);
                    different++;
                }
                continue;
            }
            Class<?> type = find(part[0]);
            if (type == null) {
                unknown.merge(part[0], 1, Integer::sum);
                continue;
            }
            short version = Short.parseShort(part[1]);
            byte[] bytes = HexFormat.of().parseHex(part[2]);
            try {
                Message message = (Message) type.getDeclaredConstructor().newInstance();
                ByteBufferAccessor reader = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
                message.read(reader, version);
                ObjectSerializationCache cache = new ObjectSerializationCache();
                ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
                message.write(new ByteBufferAccessor(out), cache, version);
                String again = HexFormat.of().formatHex(out.array());
                if (reader.remaining() != 0 || !again.equals(part[2])) {
                    System.out.println(part[0] + " v" + version + ": ours " + part[2] + "\n  Kafka's " + again + " left " + reader.remaining());
                    different++;
                    continue;
                }
                same++;
                if (!part[0].endsWith("Request") && !part[0].endsWith("Response") && !part[0].endsWith("Header")) {
                    Class<?> converter = Class.forName(type.getName() + "JsonConverter");
                    JsonNode json = (JsonNode) converter.getMethod("write", type, short.class).invoke(null, message, version);
                    described++;
                    if (!mapper.readTree(part[3]).toString().equals(json.toString())) {
                        System.out.println(part[0] + " v" + version + ": ours " + part[3] + "\n  Kafka's " + json);
                        different++;
                    }
                }
            } catch (Exception failure) {
                System.out.println(part[0] + " v" + version + ": " + failure + " on " + part[2]);
                different++;
            }
        }
        if (errors != Errors.values().length) {
            System.out.println(errors + " errors, of Kafka's " + Errors.values().length);
            different++;
        }
        System.out.println(same + " messages the same, " + described + " of them described, " + different + " differences, no class for " + unknown);
        System.exit(different == 0 && unknown.isEmpty() && same > 0 ? 0 : 1);
    }
}
