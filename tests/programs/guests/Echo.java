import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** An echo server, a thread for each client: Echo PORT. */
public class Echo {
    public static void main(String[] args) throws Exception {
        try (var server = new ServerSocket(Integer.parseInt(args[0]), 4096, InetAddress.getLoopbackAddress())) {
            while (true) {
                Socket client = server.accept();
                new Thread(() -> serve(client)).start();
            }
        }
    }

    private static void serve(Socket client) {
        try (client) {
            client.setTcpNoDelay(true);
            client.getInputStream().transferTo(client.getOutputStream());
        } catch (Exception gone) {
            System.err.println(gone);
        }
    }
}
