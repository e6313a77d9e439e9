#include "nbd/netlink.hpp"

#include <linux/nbd-netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/family.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace replicator::shim::kernel_nbd {

namespace {

template <auto Free>
struct Freed {
  template <class Thing>
  void operator()(Thing* thing) const noexcept {
    Free(thing);
  }
};
using Socket = std::unique_ptr<nl_sock, Freed<nl_socket_free>>;
using Packet = std::unique_ptr<nl_msg, Freed<nlmsg_free>>;
using Families = std::unique_ptr<nl_cache, Freed<nl_cache_free>>;
using Family = std::unique_ptr<genl_family, Freed<genl_family_put>>;

struct Answer {
  std::int32_t error = 0;
  std::uint32_t number = 0;
};

int take_number(nl_msg* packet, void* answer) {
  const nlattr* number = nlmsg_find_attr(nlmsg_hdr(packet), GENL_HDRLEN, NBD_ATTR_INDEX);
  if (number != nullptr) static_cast<Answer*>(answer)->number = nla_get_u32(number);
  return NL_OK;
}

// The library's own numbers say less.
int take_error(sockaddr_nl*, nlmsgerr* error, void* answer) {
  static_cast<Answer*>(answer)->error = error->error;
  return NL_STOP;
}

Socket connected_socket() {
  Socket socket(nl_socket_alloc());
  if (socket != nullptr && genl_connect(socket.get()) != 0) socket.reset();
  return socket;
}

std::uint8_t command_of(Operation operation) noexcept {
  switch (operation) {
    case Operation::connect: return NBD_CMD_CONNECT;
    case Operation::disconnect: return NBD_CMD_DISCONNECT;
    case Operation::reconfigure: return NBD_CMD_RECONFIGURE;
  }
  return NBD_CMD_UNSPEC;
}

// False: the packet has no room.
bool put(nl_msg* packet, int attribute, const std::optional<std::uint64_t>& value) {
  return !value || nla_put_u64(packet, attribute, *value) == 0;
}

bool put_socket(nl_msg* packet, int socket) {
  if (socket < 0) return true;
  nlattr* const sockets = nla_nest_start(packet, NBD_ATTR_SOCKETS);
  nlattr* const item = sockets == nullptr ? nullptr : nla_nest_start(packet, NBD_SOCK_ITEM);
  return item != nullptr &&
         nla_put_u32(packet, NBD_SOCK_FD, static_cast<std::uint32_t>(socket)) == 0 &&
         nla_nest_end(packet, item) == 0 && nla_nest_end(packet, sockets) == 0;
}

bool put_all(nl_msg* packet, const Message& message) {
  const bool numbered =
      !message.number || nla_put_u32(packet, NBD_ATTR_INDEX, *message.number) == 0;
  const bool named =
      message.identifier.empty() ||
      nla_put_string(packet, NBD_ATTR_BACKEND_IDENTIFIER, message.identifier.c_str()) == 0;
  return numbered && named && put(packet, NBD_ATTR_SIZE_BYTES, message.size_bytes) &&
         put(packet, NBD_ATTR_BLOCK_SIZE_BYTES, message.block_bytes) &&
         put(packet, NBD_ATTR_TIMEOUT, message.request_seconds) &&
         put(packet, NBD_ATTR_DEAD_CONN_TIMEOUT, message.dead_connection_seconds) &&
         put(packet, NBD_ATTR_SERVER_FLAGS, message.server_flags) &&
         put(packet, NBD_ATTR_CLIENT_FLAGS, message.client_flags) &&
         put_socket(packet, message.socket);
}

}  // namespace

std::int32_t KernelControl::issue(const Message& message, std::uint32_t& number) {
  const Socket socket = connected_socket();
  if (socket == nullptr) return -EPROTONOSUPPORT;
  const int family = genl_ctrl_resolve(socket.get(), NBD_GENL_FAMILY_NAME);
  if (family < 0) return -ENOENT;
  const Packet packet(nlmsg_alloc());
  if (packet == nullptr ||
      genlmsg_put(packet.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, NLM_F_ACK,
                  command_of(message.operation), NBD_GENL_VERSION) == nullptr ||
      !put_all(packet.get(), message))
    return -ENOMEM;
  Answer answer;
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, take_number, &answer);
  nl_socket_modify_err_cb(socket.get(), NL_CB_CUSTOM, take_error, &answer);
  if (nl_send_auto(socket.get(), packet.get()) < 0) return -EIO;
  const int waited = nl_wait_for_ack(socket.get());
  if (answer.error != 0) return answer.error;
  if (waited < 0) return -EIO;
  number = answer.number;
  return 0;
}

Status look_for_client() {
  const Socket socket = connected_socket();
  nl_cache* cache = nullptr;
  if (socket == nullptr || genl_ctrl_alloc_cache(socket.get(), &cache) != 0)
    return Status(Fault::unsupported, "generic netlink is not permitted");
  const Families families(cache);
  const Family family(genl_ctrl_search_by_name(cache, NBD_GENL_FAMILY_NAME));
  if (family == nullptr) {
    const bool loaded = access("/sys/module/nbd", F_OK) == 0;
    return Status(Fault::unsupported, loaded ? "nbd is not to be had in this network namespace"
                                             : "the module nbd is not loaded");
  }
  if (genl_family_get_maxattr(family.get()) < NBD_ATTR_BACKEND_IDENTIFIER)
    return Status(Fault::unsupported, "this kernel's nbd is older than Linux 5.14");
  return Status();
}

std::vector<std::byte> attributes(const Message& message) {
  const Packet packet(nlmsg_alloc());
  std::vector<std::byte> bytes;
  if (packet == nullptr || nlmsg_put(packet.get(), 0, 0, 0, 0, 0) == nullptr ||
      !put_all(packet.get(), message))
    return bytes;
  const nlmsghdr* const header = nlmsg_hdr(packet.get());
  const auto* const first = static_cast<const std::byte*>(nlmsg_data(header));
  bytes.assign(first, first + nlmsg_datalen(header));
  return bytes;
}

}  // namespace replicator::shim::kernel_nbd
