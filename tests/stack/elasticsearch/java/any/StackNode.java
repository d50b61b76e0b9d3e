import java.nio.file.Path;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;

/** One node of the server's core: HOME FOLDER HTTP_PORT TRANSPORT_PORT [SETTING=VALUE ...]. */
public final class StackNode {
    private StackNode() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[1]);
        Settings.Builder settings = Settings.builder()
            .put("path.home", arguments[0])
            .put("path.data", folder.resolve("data").toString())
            .put("path.logs", folder.resolve("logs").toString())
            .put("cluster.name", "davylamp-stack")
            .put("node.name", "stack")
            .put("network.host", "127.0.0.1")
            .put("http.port", arguments[2])
            .put("transport.port", arguments[3])
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", "false");
        for (int index = 4; index < arguments.length; index++) {
            String[] setting = arguments[index].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        Settings made = settings.build();
        LogConfigurator.configureWithoutConfig(made);
        Node node = new Node(new Environment(made, folder.resolve("config")), Modules.loader(Path.of(arguments[0])));
        node.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (java.io.IOException error) {
                error.printStackTrace();
            }
        }));
        Thread.currentThread().join();
    }
}
