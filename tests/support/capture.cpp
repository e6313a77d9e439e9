#include "tests/support/capture.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

namespace replicator::testing_support {

namespace {

constexpr std::size_t file_header_bytes = 24;
constexpr std::size_t record_header_bytes = 16;
constexpr std::size_t ethernet_bytes = 14;
constexpr std::uint32_t pcap_magic = 0xa1b2c3d4;
constexpr std::uint32_t link_ethernet = 1;
constexpr std::uint16_t ether_ipv4 = 0x0800;
constexpr std::uint8_t ip_tcp = 6;
constexpr std::uint8_t flag_syn = 2;

std::uint8_t byte_at(ConstBytes bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

}  // namespace

bool Capture::add(ConstBytes pcap) {
  if (pcap.size() < file_header_bytes || read_native<std::uint32_t>(pcap, 0) != pcap_magic ||
      read_native<std::uint32_t>(pcap, 20) != link_ethernet) {
    return false;
  }
  ConstBytes rest = pcap.subspan(file_header_bytes);
  while (!rest.empty()) {
    if (rest.size() < record_header_bytes) return false;
    const std::size_t kept = read_native<std::uint32_t>(rest, 8);
    const std::size_t whole = read_native<std::uint32_t>(rest, 12);
    if (kept != whole || rest.size() - record_header_bytes < kept) return false;
    if (!add_frame(rest.subspan(record_header_bytes, kept))) return false;
    rest = rest.subspan(record_header_bytes + kept);
  }
  return true;
}

bool Capture::add_frame(ConstBytes frame) {
  if (frame.size() < ethernet_bytes + 20 || read_be16(frame, 12) != ether_ipv4) return true;
  const ConstBytes ip = frame.subspan(ethernet_bytes);
  const std::size_t ip_head = std::size_t{4} * (byte_at(ip, 0) & 15U);
  const std::size_t ip_total = read_be16(ip, 2);  // what follows is Ethernet padding
  if (byte_at(ip, 9) != ip_tcp) return true;
  if (ip_total > ip.size() || ip_total < ip_head + 20) return false;
  const ConstBytes tcp = ip.subspan(ip_head, ip_total - ip_head);
  const std::size_t tcp_head = std::size_t{4} * (byte_at(tcp, 12) >> 4U);
  if (tcp_head > tcp.size()) return false;
  const Flow flow{{read_be32(ip, 12), read_be16(tcp, 0)}, {read_be32(ip, 16), read_be16(tcp, 2)}};
  add_segment(flow, read_be32(tcp, 4), (byte_at(tcp, 13) & flag_syn) != 0, tcp.subspan(tcp_head));
  return true;
}

void Capture::add_segment(const Flow& flow, std::uint32_t sequence, bool opens,
                          ConstBytes payload) {
  const auto known = latest_.find(flow);
  const bool repeats_syn = opens && known != latest_.end() &&
                           assemblies_[known->second].stream.from_start &&
                           assemblies_[known->second].start == sequence + 1;
  if (known == latest_.end() || (opens && !repeats_syn)) {
    latest_[flow] = assemblies_.size();
    Assembly fresh;
    fresh.stream.from = flow.first;
    fresh.stream.to = flow.second;
    fresh.stream.from_start = opens;
    assemblies_.push_back(std::move(fresh));
  }
  Assembly& assembly = assemblies_[latest_[flow]];
  if (opens) {
    assembly.start = sequence + 1;
    assembly.started = true;
    return;
  }
  if (payload.empty()) return;
  if (!assembly.started) {
    assembly.start = sequence;
    assembly.started = true;
  }
  // Sequence numbers wrap; the distance to what was read last is small.
  const std::uint64_t read = assembly.stream.bytes.size();
  const auto distance =
      static_cast<std::int32_t>(sequence - (assembly.start + static_cast<std::uint32_t>(read)));
  if (distance < 0 && read < static_cast<std::uint64_t>(-std::int64_t{distance})) return;
  deliver(assembly, read + static_cast<std::uint64_t>(std::int64_t{distance}), payload);
}

void Capture::deliver(Assembly& assembly, std::uint64_t offset, ConstBytes payload) {
  std::vector<std::byte>& bytes = assembly.stream.bytes;
  if (offset > bytes.size()) {
    std::vector<std::byte>& waiting = assembly.waiting[offset];
    if (waiting.size() < payload.size()) waiting.assign(payload.begin(), payload.end());
    return;
  }
  const std::size_t known = std::min<std::size_t>(bytes.size() - offset, payload.size());
  assembly.stream.repeated += known;
  const ConstBytes fresh = payload.subspan(known);
  bytes.insert(bytes.end(), fresh.begin(), fresh.end());
  const auto next = assembly.waiting.begin();
  if (next == assembly.waiting.end() || next->first > bytes.size()) return;
  const std::uint64_t next_offset = next->first;
  const std::vector<std::byte> next_payload = std::move(next->second);
  assembly.waiting.erase(next);
  deliver(assembly, next_offset, next_payload);
}

bool Capture::add_file(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) return false;
  std::vector<std::byte> all;
  std::array<std::byte, 65536> chunk{};
  int got = 0;
  while ((got = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()))) > 0) {
    all.insert(all.end(), chunk.begin(), chunk.begin() + got);
  }
  return got == 0 && add(all);
}

std::vector<CapturedStream> Capture::streams() const {
  std::vector<CapturedStream> all;
  for (const Assembly& assembly : assemblies_) {
    all.push_back(assembly.stream);
    for (const auto& [offset, payload] : assembly.waiting)
      all.back().stranded += payload.size();
  }
  return all;
}

Capture read_captures(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".gz") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  Capture capture;
  for (const std::string& path : paths) {
    if (!capture.add_file(path)) return Capture();
  }
  return capture;
}

}  // namespace replicator::testing_support
