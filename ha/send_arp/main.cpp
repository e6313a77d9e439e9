// pollux-send-arp INTERFACE ADDRESS: tells the neighbours where an address lives now, five times.
// An address that moved is reachable at once, not when their caches have aged.
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

constexpr int repetitions = 5;
constexpr useconds_t pause_us = 200000;

struct Announcement {
  ether_arp arp{};
  sockaddr_ll to{};
};

bool prepare(int fd, const char* interface, const char* address, Announcement& out) {
  ifreq request{};
  if (std::strlen(interface) >= sizeof request.ifr_name) return false;
  std::strcpy(request.ifr_name, interface);
  in_addr ip{};
  if (inet_pton(AF_INET, address, &ip) != 1 || ioctl(fd, SIOCGIFHWADDR, &request) != 0)
    return false;
  const auto* own = reinterpret_cast<const std::uint8_t*>(request.ifr_hwaddr.sa_data);
  ether_arp& arp = out.arp;
  arp.ea_hdr.ar_hrd = htons(ARPHRD_ETHER);
  arp.ea_hdr.ar_pro = htons(ETHERTYPE_IP);
  arp.ea_hdr.ar_hln = ETH_ALEN;
  arp.ea_hdr.ar_pln = 4;
  arp.ea_hdr.ar_op = htons(ARPOP_REQUEST);
  std::memcpy(arp.arp_sha, own, ETH_ALEN);
  std::memcpy(arp.arp_spa, &ip, 4);
  std::memcpy(arp.arp_tpa, &ip, 4);
  out.to.sll_family = AF_PACKET;
  out.to.sll_protocol = htons(ETHERTYPE_ARP);
  out.to.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  out.to.sll_halen = ETH_ALEN;
  std::memset(out.to.sll_addr, 0xff, ETH_ALEN);
  return true;
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fputs("usage: pollux-send-arp INTERFACE ADDRESS\n", stderr);
    return 20;
  }
  const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETHERTYPE_ARP));
  Announcement announcement;
  if (fd < 0 || !prepare(fd, words[1], words[2], announcement)) {
    std::perror("pollux-send-arp");
    return 1;
  }
  for (int i = 0; i < repetitions; ++i) {
    if (i > 0) usleep(pause_us);
    if (sendto(fd, &announcement.arp, sizeof announcement.arp, 0,
               reinterpret_cast<const sockaddr*>(&announcement.to), sizeof announcement.to) < 0) {
      std::perror("pollux-send-arp");
      return 1;
    }
  }
  return 0;
}
