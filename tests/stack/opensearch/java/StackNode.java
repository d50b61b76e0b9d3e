import static org.codelibs.opensearch.runner.OpenSearchRunner.newConfigs;

import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of the server's core with its modules: FOLDER HTTP_PORT TRANSPORT_PORT [SETTING=VALUE ...]. */
public final class StackNode {
    private StackNode() {}

    public static void main(String[] arguments) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        int port = Integer.parseInt(arguments[1]);
        runner.setMaxHttpPort(-1);
        runner.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("discovery.type", "single-node");
            settings.put("http.port", String.valueOf(port));
            settings.put("transport.port", arguments[2]);
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
            for (int index = 3; index < arguments.length; index++) {
                String[] setting = arguments[index].split("=", 2);
                settings.put(setting[0], setting[1]);
            }
        });
        // The runner answers on its base port plus the number of the node, which is 1.
        runner.build(newConfigs().clusterName("davylamp-stack").numOfNode(1).basePath(arguments[0]).baseHttpPort(port - 1));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                runner.close();
            } catch (java.io.IOException error) {
                error.printStackTrace();
            }
        }));
        Thread.currentThread().join();
    }
}
