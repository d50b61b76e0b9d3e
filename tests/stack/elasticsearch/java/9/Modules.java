import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.plugins.PluginsLoader;

/** The modules below the home folder, as version 9 loads them. */
final class Modules {
    private Modules() {}

    static PluginsLoader loader(Path home) throws IOException {
        var found = PluginsLoader.loadModulesBundles(home.resolve("modules"), false);
        return PluginsLoader.createPluginsLoader(found, Set.of(), Map.of());
    }
}
