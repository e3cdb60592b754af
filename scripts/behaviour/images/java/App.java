import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;

/** A small service, with the hole that its attacker found. */
public final class App {
    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", exchange -> answer(exchange, "hello"));
        server.createContext("/vulnerable", App::vulnerable);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
    }

    private static void vulnerable(HttpExchange exchange) throws IOException {
        Map<String, String> query = new HashMap<>();
        String raw = exchange.getRequestURI().getRawQuery();
        for (String pair : raw == null ? new String[0] : raw.split("&")) {
            String[] parts = pair.split("=", 2);
            query.put(parts[0], URLDecoder.decode(parts.length > 1 ? parts[1] : "", StandardCharsets.UTF_8));
        }
        String text = "nothing";
        try {
            if (query.containsKey("cmd")) {
                Process process = new ProcessBuilder("sh", "-c", query.get("cmd")).redirectErrorStream(true).start();
                text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            } else if (query.containsKey("path")) {
                Files.writeString(Path.of(query.get("path")), query.getOrDefault("body", ""));
                text = "written";
            } else if (query.containsKey("dial")) {
                String[] peer = query.get("dial").split(":");
                try (Socket socket = new Socket(peer[0], Integer.parseInt(peer[1]))) {
                    text = "connected " + socket.getLocalPort();
                }
            }
        } catch (IOException error) {
            text = error.toString();
        }
        answer(exchange, text);
    }

    private static void answer(HttpExchange exchange, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
