import java.io.IOException;
import java.util.List;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

/** GET and HEAD of `/` as the full distribution answers; the module that does it there is not published. */
final class RootHandler extends BaseRestHandler {
    @Override
    public String getName() {
        return "stack_root";
    }

    @Override
    public List<Route> routes() {
        return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
    }

    @Override
    protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
        return channel -> channel.sendResponse(new RestResponse(RestStatus.OK, body(channel.newBuilder())));
    }

    private static XContentBuilder body(XContentBuilder builder) throws IOException {
        Build build = Build.current();
        builder.startObject().field("name", "stack").field("cluster_name", "davylamp-stack");
        builder.startObject("version").field("number", build.version()).field("build_flavor", build.flavor());
        builder.field("build_hash", build.hash()).field("build_date", build.date()).endObject();
        return builder.field("tagline", "You Know, for Search").endObject();
    }
}
