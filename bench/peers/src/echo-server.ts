// A bare `ws` server that sends back what it gets: what a round trip costs without any broker.

import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false }, () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" ? address?.port : ""}\n`);
});
server.on("connection", (socket) => {
  socket.on("message", (message) => socket.send(message));
});
