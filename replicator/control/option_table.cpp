#include "control/option_table.hpp"

#include <array>

#include "control/option_field.hpp"
#include "protocol/header.hpp"

namespace replicator::control {
namespace {

using enum OptionSection;

template <class Enumerator>
constexpr EnumWord word(std::string_view text, Enumerator value) {
  return {text, static_cast<std::int64_t>(value)};
}

// Beside the values that we act upon, words of DRBD 9 are read as the 8.4 value that is safe in
// their place.
constexpr std::array protocol_words{word("A", WireProtocol::a), word("B", WireProtocol::b),
                                    word("C", WireProtocol::c)};
constexpr std::array after_sb_0pri_words{
    word("disconnect", AfterSplitBrain::disconnect),
    word("discard-younger-primary", AfterSplitBrain::discard_younger_primary),
    word("discard-older-primary", AfterSplitBrain::discard_older_primary),
    word("discard-zero-changes", AfterSplitBrain::discard_zero_changes),
    word("discard-least-changes", AfterSplitBrain::discard_least_changes),
    word("discard-local", AfterSplitBrain::discard_local),
    word("discard-remote", AfterSplitBrain::discard_remote)};
constexpr std::array after_sb_1pri_words{
    word("disconnect", AfterSplitBrain::disconnect), word("consensus", AfterSplitBrain::consensus),
    word("discard-secondary", AfterSplitBrain::discard_secondary),
    word("call-pri-lost-after-sb", AfterSplitBrain::call_pri_lost_after_sb),
    word("violently-as0p", AfterSplitBrain::violently_as0p)};
constexpr std::array after_sb_2pri_words{
    word("disconnect", AfterSplitBrain::disconnect),
    word("call-pri-lost-after-sb", AfterSplitBrain::call_pri_lost_after_sb),
    word("violently-as0p", AfterSplitBrain::violently_as0p)};
constexpr std::array rr_conflict_words{word("disconnect", ConflictPolicy::disconnect),
                                       word("call-pri-lost", ConflictPolicy::call_pri_lost),
                                       word("violently", ConflictPolicy::violently),
                                       word("retry-connect", ConflictPolicy::disconnect),
                                       word("auto-discard", ConflictPolicy::disconnect)};
constexpr std::array on_congestion_words{word("block", OnCongestion::block),
                                         word("pull-ahead", OnCongestion::pull_ahead),
                                         word("disconnect", OnCongestion::disconnect)};
constexpr std::array on_io_error_words{word("pass_on", OnIoError::pass_on),
                                       word("call-local-io-error", OnIoError::call_local_io_error),
                                       word("detach", OnIoError::detach)};
constexpr std::array fencing_words{word("dont-care", Fencing::dont_care),
                                   word("resource-only", Fencing::resource_only),
                                   word("resource-and-stonith", Fencing::resource_and_stonith)};
constexpr std::array on_no_data_words{word("io-error", OnNoData::io_error),
                                      word("suspend-io", OnNoData::suspend_io)};
constexpr std::array read_balancing_words{
    word("prefer-local", ReadBalancing::prefer_local),
    word("prefer-remote", ReadBalancing::prefer_remote),
    word("round-robin", ReadBalancing::round_robin),
    word("least-pending", ReadBalancing::least_pending),
    word("when-congested-remote", ReadBalancing::when_congested_remote),
    word("32K-striping", ReadBalancing::stripe_32k),
    word("64K-striping", ReadBalancing::stripe_64k),
    word("128K-striping", ReadBalancing::stripe_128k),
    word("256K-striping", ReadBalancing::stripe_256k),
    word("512K-striping", ReadBalancing::stripe_512k),
    word("1M-striping", ReadBalancing::stripe_1m)};
constexpr std::array usage_count_words{word("yes", 0), word("no", 1), word("ask", 2)};
constexpr std::array on_no_quorum_words{word("suspend-io", 0), word("io-error", 1)};
constexpr std::array suspended_primary_words{word("disconnect", 0), word("force-secondary", 1)};
constexpr std::array quorum_words{
    word("off", 0), word("majority", 33), word("all", 34), word("1", 1),   word("2", 2),
    word("3", 3),   word("4", 4),         word("5", 5),    word("6", 6),   word("7", 7),
    word("8", 8),   word("9", 9),         word("10", 10),  word("11", 11), word("12", 12),
    word("13", 13), word("14", 14),       word("15", 15),  word("16", 16), word("17", 17),
    word("18", 18), word("19", 19),       word("20", 20),  word("21", 21), word("22", 22),
    word("23", 23), word("24", 24),       word("25", 25),  word("26", 26), word("27", 27),
    word("28", 28), word("29", 29),       word("30", 30),  word("31", 31), word("32", 32)};

constexpr Option flag(OptionSection section, std::string_view name) {
  return {.section = section, .name = name, .type = OptionType::flag, .maximum = 1};
}
constexpr Option boolean(OptionSection section, std::string_view name, bool preset,
                         const OptionField* field = nullptr) {
  return {.section = section,
          .name = name,
          .type = OptionType::boolean,
          .maximum = 1,
          .preset = preset ? 1 : 0,
          .field = field};
}
constexpr Option one_shot(Option option) {
  option.one_shot = true;
  return option;
}
constexpr Option ignored(Option option) {
  option.ignored = true;
  return option;
}
constexpr Option ours(Option option) {
  option.ours = true;
  return option;
}
constexpr Option drbd_has(std::int64_t preset, Option option) {
  option.drbd_preset = preset;
  return option;
}
constexpr Option number(OptionSection section, std::string_view name, std::int64_t minimum,
                        std::int64_t maximum, std::int64_t preset, const OptionField* field,
                        std::string_view unit_text = {}, OptionUnit unit = OptionUnit::one) {
  return {.section = section,
          .name = name,
          .type = OptionType::number,
          .unit = unit,
          .minimum = minimum,
          .maximum = maximum,
          .preset = preset,
          .unit_text = unit_text,
          .field = field};
}
constexpr Option choice(OptionSection section, std::string_view name,
                        std::span<const EnumWord> words, const OptionField* field,
                        std::int64_t preset = -1) {
  return {.section = section,
          .name = name,
          .type = OptionType::enumeration,
          .preset = preset < 0 ? words.front().value : preset,
          .words = words,
          .field = field};
}
constexpr Option text(OptionSection section, std::string_view name, std::int64_t longest,
                      const OptionField* field = nullptr) {
  return {.section = section,
          .name = name,
          .type = OptionType::text,
          .maximum = longest,
          .field = field};
}
constexpr Option handler(std::string_view name) { return text(handlers, name, 255); }

constexpr std::string_view tenths = "1/10 seconds";
constexpr std::string_view seconds = "seconds";
constexpr std::string_view bytes = "bytes";
constexpr std::string_view rate = "bytes/second";

using N = NetOptions;
using D = DiskOptions;
using R = ResourceOptions;

// Within a section the order is that of DRBD's own tools: `show` prints it.
constexpr std::array table{
    flag(global, "disable-ip-verification"),
    number(global, "minor-count", 1, 255, 32, nullptr),
    number(global, "dialog-refresh", 0, 600, 1, nullptr, seconds),
    choice(global, "usage-count", usage_count_words, nullptr, 2),
    number(global, "cmd-timeout-short", 0, 900, 5, nullptr, seconds),
    number(global, "cmd-timeout-medium", 0, 900, 121, nullptr, seconds),
    number(global, "cmd-timeout-long", 0, 900, 600, nullptr, seconds),
    flag(global, "udev-always-use-vnr"),

    number(startup, "wfc-timeout", 0, 300000, 0, nullptr, seconds),
    number(startup, "degr-wfc-timeout", 0, 300000, 0, nullptr, seconds),
    number(startup, "outdated-wfc-timeout", 0, 300000, 0, nullptr, seconds),
    boolean(startup, "wait-after-sb", false),
    text(startup, "become-primary-on", 255),
    flag(startup, "stacked-timeouts"),

    handler("pri-on-incon-degr"),
    handler("pri-lost-after-sb"),
    handler("pri-lost"),
    handler("fence-peer"),
    handler("unfence-peer"),
    handler("local-io-error"),
    handler("initial-split-brain"),
    handler("split-brain"),
    handler("before-resync-target"),
    handler("after-resync-target"),
    handler("before-resync-source"),
    handler("out-of-sync"),
    handler("quorum-lost"),
    handler("disconnected"),

    text(resource, "cpu-mask", 255, field_of<&R::cpu_mask>),
    choice(resource, "on-no-data-accessible", on_no_data_words,
           field_of<&R::on_no_data_accessible>),
    boolean(resource, "auto-promote", true),
    number(resource, "auto-promote-timeout", 0, 600, 20, nullptr, tenths),
    choice(resource, "quorum", quorum_words, nullptr),
    choice(resource, "quorum-minimum-redundancy", quorum_words, nullptr),
    choice(resource, "on-no-quorum", on_no_quorum_words, nullptr),
    choice(resource, "on-suspended-primary-outdated", suspended_primary_words, nullptr),
    number(resource, "peer-ack-window", 2048, 204800, 4096, nullptr, bytes, OptionUnit::sectors),
    number(resource, "peer-ack-delay", 1, 10000, 100, nullptr, "milliseconds"),
    number(resource, "twopc-timeout", 50, 600, 300, nullptr, tenths),
    number(resource, "twopc-retry-timeout", 1, 50, 1, nullptr, tenths),
    number(resource, "max-io-depth", 4, 4294967295, 8000, nullptr),
    boolean(resource, "drbd8-api-compatibility", false),

    one_shot(boolean(net, "tentative", false, field_of<&N::tentative>)),
    one_shot(boolean(net, "discard-my-data", false, field_of<&N::discard_my_data>)),
    choice(net, "protocol", protocol_words, field_of<&N::protocol>,
           static_cast<std::int64_t>(WireProtocol::c)),
    number(net, "timeout", 1, 600, 60, field_of<&N::timeout_tenths>, tenths),
    number(net, "max-epoch-size", 1, 20000, 2048, field_of<&N::max_epoch_size>),
    number(net, "max-buffers", 32, 131072, 2048, field_of<&N::max_buffers>),
    number(net, "unplug-watermark", 1, 131072, 128, field_of<&N::unplug_watermark>),
    number(net, "connect-int", 1, 120, 10, field_of<&N::connect_interval_seconds>, seconds),
    number(net, "ping-int", 1, 120, 10, field_of<&N::ping_interval_seconds>, seconds),
    number(net, "sndbuf-size", 0, 10 << 20, 0, field_of<&N::send_buffer_bytes>, bytes),
    number(net, "rcvbuf-size", 0, 10 << 20, 0, field_of<&N::receive_buffer_bytes>, bytes),
    number(net, "ko-count", 0, 200, 7, field_of<&N::ko_count>),
    boolean(net, "allow-two-primaries", false, field_of<&N::allow_two_primaries>),
    text(net, "cram-hmac-alg", 63, field_of<&N::cram_hmac_alg>),
    text(net, "shared-secret", 63, field_of<&N::shared_secret>),
    choice(net, "after-sb-0pri", after_sb_0pri_words, field_of<&N::after_sb_0pri>),
    choice(net, "after-sb-1pri", after_sb_1pri_words, field_of<&N::after_sb_1pri>),
    choice(net, "after-sb-2pri", after_sb_2pri_words, field_of<&N::after_sb_2pri>),
    boolean(net, "always-asbp", false, field_of<&N::always_asbp>),
    choice(net, "rr-conflict", rr_conflict_words, field_of<&N::rr_conflict>),
    number(net, "ping-timeout", 1, 300, 5, field_of<&N::ping_timeout_tenths>, tenths),
    text(net, "data-integrity-alg", 63, field_of<&N::data_integrity_alg>),
    boolean(net, "tcp-cork", true, field_of<&N::tcp_cork>),
    choice(net, "on-congestion", on_congestion_words, field_of<&N::on_congestion>),
    number(net, "congestion-fill", 0, 20971520, 0, field_of<&N::congestion_fill_sectors>, bytes,
           OptionUnit::sectors),
    number(net, "congestion-extents", 67, 65534, 1237, field_of<&N::congestion_extents>),
    text(net, "csums-alg", 63, field_of<&N::csums_alg>),
    boolean(net, "csums-after-crash-only", false, field_of<&N::csums_after_crash_only>),
    text(net, "verify-alg", 63, field_of<&N::verify_alg>),
    boolean(net, "use-rle", true, field_of<&N::use_rle>),
    number(net, "socket-check-timeout", 0, 300, 0, field_of<&N::socket_check_timeout_tenths>),
    ours(number(net, "protocol-version-max", protocol_version_min, protocol_version_max,
                protocol_version_max, field_of<&N::protocol_version_max>)),
    text(net, "transport", 63),
    boolean(net, "load-balance-paths", false),
    boolean(net, "allow-remote-read", true),
    boolean(net, "tls", false, field_of<&N::tls>),
    text(net, "tls-keyring", 255, field_of<&N::tls_keyring>),
    text(net, "tls-privkey", 255, field_of<&N::tls_privkey>),
    text(net, "tls-certificate", 255, field_of<&N::tls_certificate>),
    ours(text(net, "tls-psk-file", 255, field_of<&N::tls_psk_file>)),
    ours(text(net, "tls-psk-identity", 63, field_of<&N::tls_psk_identity>)),
    number(net, "rdma-ctrl-rcvbuf-size", 0, 10 << 20, 0, nullptr, bytes),
    number(net, "rdma-ctrl-sndbuf-size", 0, 10 << 20, 0, nullptr, bytes),
    ignored(text(net, "_name", 63)),

    number(disk, "size", 0, 2199023255552, 0, field_of<&D::size_sectors>, bytes,
           OptionUnit::sectors),
    number(disk, "max-bio-bvecs", 0, 128, 0, nullptr),
    choice(disk, "on-io-error", on_io_error_words, field_of<&D::on_io_error>,
           static_cast<std::int64_t>(OnIoError::detach)),
    choice(disk, "fencing", fencing_words, field_of<&D::fencing>),
    boolean(disk, "disk-barrier", false, field_of<&D::disk_barrier>),
    boolean(disk, "disk-flushes", true, field_of<&D::disk_flushes>),
    boolean(disk, "disk-drain", true, field_of<&D::disk_drain>),
    boolean(disk, "md-flushes", true, field_of<&D::md_flushes>),
    number(disk, "resync-rate", 1, 4194304, 250, field_of<&D::resync_rate>, rate, OptionUnit::kib),
    Option{.section = disk,
           .name = "resync-after",
           .type = OptionType::resync_after,
           .minimum = -1,
           .maximum = 1048575,
           .preset = -1,
           .field = field_of<&D::resync_after_minor>},
    number(disk, "al-extents", 67, 65534, 1237, field_of<&D::al_extents>),
    boolean(disk, "al-updates", true, field_of<&D::al_updates>),
    boolean(disk, "discard-zeroes-if-aligned", true, field_of<&D::discard_zeroes_if_aligned>),
    boolean(disk, "disable-write-same", false, field_of<&D::disable_write_same>),
    number(disk, "c-plan-ahead", 0, 300, 20, field_of<&D::c_plan_ahead_tenths>, tenths),
    number(disk, "c-delay-target", 1, 100, 10, field_of<&D::c_delay_target_tenths>, tenths),
    number(disk, "c-fill-target", 0, 1048576, 100, field_of<&D::c_fill_target_sectors>, bytes,
           OptionUnit::sectors),
    number(disk, "c-max-rate", 250, 4194304, 102400, field_of<&D::c_max_rate>, rate,
           OptionUnit::kib),
    drbd_has(250, number(disk, "c-min-rate", 0, 4194304, 0, field_of<&D::c_min_rate>, rate,
                         OptionUnit::kib)),
    number(disk, "disk-timeout", 0, 6000, 0, field_of<&D::disk_timeout_tenths>, tenths),
    choice(disk, "read-balancing", read_balancing_words, field_of<&D::read_balancing>),
    number(disk, "rs-discard-granularity", 0, 1048576, 0, field_of<&D::rs_discard_granularity>),
    ours(boolean(disk, "undo", true, field_of<&D::undo>)),
    ours(number(disk, "undo-max-size", 0, 2199023255552, 16777216,
                field_of<&D::undo_max_size_sectors>, bytes, OptionUnit::sectors)),
    ours(number(disk, "undo-min-free", 0, 100, 20, field_of<&D::undo_min_free_percent>, "percent")),
    boolean(disk, "bitmap", true),
    boolean(disk, "resync-without-replication", true),
    boolean(disk, "peer-tiebreaker", true),
    ignored(boolean(disk, "use-bmbv", false)),
    ignored(number(disk, "delay-probe-volume", 0, 4294967295, 0, nullptr, {}, OptionUnit::kib)),
    ignored(number(disk, "delay-probe-interval", 0, 4294967295, 0, nullptr)),
    ignored(number(disk, "throttle-threshold", 0, 4294967295, 0, nullptr)),
    ignored(number(disk, "hold-off-threshold", 0, 4294967295, 0, nullptr)),
};

// Options of a request that belong to its command, not to a section.
constexpr std::array<std::string_view, 4> command_options{"set-defaults", "force", "peer-name",
                                                          "device-name"};

bool is_command_option(std::string_view name) noexcept {
  for (const std::string_view known : command_options) {
    if (known == name) return true;
  }
  return false;
}

std::string flattened(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

void reset(OptionSection section, OptionStructs& all) {
  const OptionStructs fresh;
  for (const Option& option : table) {
    if (option.section == section && option.field != nullptr) {
      option.field->set(all, option.field->get(fresh));
    }
  }
}

// Applies to the copy `all`; the caller takes it over when there is no problem.
std::optional<std::string> apply(const OptionMap& options, OptionSection section,
                                 OptionStructs& all) {
  if (options.contains("set-defaults")) reset(section, all);
  for (const auto& [name, text] : options) {
    if (is_command_option(name)) continue;
    const Option* option = find_option(section, name);
    if (option == nullptr) return "unknown option '" + name + "'";
    const ParsedOption parsed = parse_option(*option, text);
    if (!parsed.problem.empty()) {
      return name + " '" + text + "': " + flattened(parsed.problem);
    }
    if (option->field != nullptr) option->field->set(all, parsed.value);
  }
  return std::nullopt;
}

std::vector<PrintedOption> print(OptionSection section, const OptionStructs& all,
                                 bool show_defaults) {
  const OptionStructs fresh;
  std::vector<PrintedOption> printed;
  for (const Option& option : table) {
    if (option.section != section || option.field == nullptr || option.one_shot) continue;
    const OptionValue value = option.field->get(all);
    const bool is_default = value == option.field->get(fresh);
    if (is_default && !show_defaults) continue;
    printed.push_back({&option, option_text(option, value), is_default});
  }
  return printed;
}

}  // namespace

std::span<const Option> all_options() noexcept { return table; }

const Option* find_option(OptionSection section, std::string_view name) noexcept {
  for (const Option& option : table) {
    if (option.section == section && option.name == name) return &option;
  }
  return nullptr;
}

std::optional<std::string> apply_options(const OptionMap& options, ResourceOptions& target) {
  OptionStructs all;
  all.resource = target;
  auto problem = apply(options, resource, all);
  if (!problem) target = all.resource;
  return problem;
}
std::optional<std::string> apply_options(const OptionMap& options, NetOptions& target) {
  OptionStructs all;
  all.net = target;
  auto problem = apply(options, net, all);
  if (!problem) target = all.net;
  return problem;
}
std::optional<std::string> apply_options(const OptionMap& options, DiskOptions& target) {
  OptionStructs all;
  all.disk = target;
  auto problem = apply(options, disk, all);
  if (!problem) target = all.disk;
  return problem;
}

std::vector<PrintedOption> print_options(const ResourceOptions& from, bool show_defaults) {
  OptionStructs all;
  all.resource = from;
  return print(resource, all, show_defaults);
}
std::vector<PrintedOption> print_options(const NetOptions& from, bool show_defaults) {
  OptionStructs all;
  all.net = from;
  return print(net, all, show_defaults);
}
std::vector<PrintedOption> print_options(const DiskOptions& from, bool show_defaults) {
  OptionStructs all;
  all.disk = from;
  return print(disk, all, show_defaults);
}

}  // namespace replicator::control
