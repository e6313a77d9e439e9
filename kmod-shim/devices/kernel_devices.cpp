#include "devices/kernel_devices.hpp"

#include <fmt/core.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "devices/fallback.hpp"
#include "devices/fuse_loop.hpp"
#include "devices/loop_record.hpp"
#include "off_thread.hpp"
#include "ublk/attachment.hpp"
#include "ublk/device.hpp"
#include "ublk/record.hpp"

namespace replicator::shim {

namespace {

std::string volume_name(const DeviceNames& names) {
  return fmt::format("{}-{}", names.resource, names.volume);
}

void end(ublk::Control& control, const ublk::Record& record, ublk::Fate fate) {
  if (fate != ublk::Fate::not_ours) static_cast<void>(ublk::stop_and_remove(control, record.id));
  ublk::remove_record(record.minor);
}

}  // namespace

KernelDevices::KernelDevices(uring::Reactor& reactor, KernelDeviceOptions options)
    : reactor_(reactor),
      options_(options),
      control_(std::make_unique<ublk::DriverControl>()),
      keeper_(options.keeper != nullptr ? *options.keeper : no_keeper_) {}

KernelDevices::~KernelDevices() = default;

Task<void> KernelDevices::start() {
  co_await look_for_ublk();
  const bool fuse_wanted = ways_.fuse;
  ways_.fuse = ways_.fuse && fuse_offered();
  if (fuse_wanted && !ways_.fuse && !ways_.ublk)
    log::warning("no /dev/drbdN, only NBD sockets: no /dev/fuse");
  if (ways_.fuse) volume_buffers_ = buffers_of_volumes();
  co_await sort_out_left_behind();
}

Task<void> KernelDevices::look_for_ublk() {
  const bool wanted = options_.wish == DeviceWish::best || options_.wish == DeviceWish::ublk;
  const auto ask = [this] { return ublk::offered_features(*control_); };
  const Result<std::uint64_t> offered = co_await off_thread(reactor_, ask);
  ways_ = choose(options_.wish, offered.has_value());
  if (ways_.ublk) {
    ublk_features_ = *offered;
    log::info("/dev/drbdN by ublk, {} queue(s) of {} requests", options_.ublk_queues,
              options_.ublk_depth);
  } else if (ways_.fuse && wanted) {
    log::info("/dev/drbdN by FUSE and loop devices, not by ublk: {}", offered.error().where());
  } else if (wanted) {
    log::warning("no /dev/drbdN, only NBD sockets: {}", offered.error().where());
  }
}

Task<void> KernelDevices::sort_out_left_behind() {
  const auto work = [this] {
    std::vector<ublk::Record> waiting;
    for (const ublk::Record& record : ublk::read_records()) {
      const ublk::Fate fate = ublk::look_at(*control_, record);
      if (fate == ublk::Fate::waits && ways_.ublk) waiting.push_back(record);
      else end(*control_, record, fate);
      if (fate == ublk::Fate::waits && !ways_.ublk)
        log::error("drbd{}: this daemon has no devices by ublk, the users of ublkb{} see errors",
                   record.minor, record.id);
    }
    return waiting;
  };
  const std::vector<ublk::Record> waiting = co_await off_thread(reactor_, work);
  for (const ublk::Record& record : waiting) {
    log::info("ublkb{}, which was drbd{} of {}, waits until that is Primary again, or down",
              record.id, record.minor, record.volume);
  }
  const auto loops = [this] { return sort_out_loops(keeper_, ways_.fuse); };
  const std::vector<LoopRecord> waiting_loops = co_await off_thread(reactor_, loops);
  for (const LoopRecord& record : waiting_loops) {
    log::info("loop{}, which was drbd{} of {}, waits until that is Primary again, or down",
              record.loop.number, record.minor, record.volume);
  }
}

// What waits for this volume; what waits for another one under its minor is let go.
std::optional<ublk::Record> KernelDevices::waiting_ublk(const std::string& volume,
                                                        std::uint32_t minor) {
  std::optional<ublk::Record> record = ublk::read_record(minor);
  if (!record) return record;
  const ublk::Fate fate = ublk::look_at(*control_, *record);
  if (fate == ublk::Fate::waits && record->volume == volume) return record;
  end(*control_, *record, fate);
  return std::nullopt;
}

std::optional<LoopRecord> KernelDevices::waiting_loop(const std::string& volume,
                                                      std::uint32_t minor) {
  std::optional<LoopRecord> record = read_loop_record(minor);
  if (!record || (record->volume == volume && waits(keeper_, *record))) return record;
  let_go(keeper_, *record);
  return std::nullopt;
}

Task<std::unique_ptr<Attachment>> KernelDevices::attachment(io::BlockDevice& volume,
                                                            DeviceNames names) {
  const std::string name = volume_name(names);
  std::unique_ptr<Attachment> by_ublk;
  std::unique_ptr<Attachment> by_fuse;
  if (ways_.ublk) {
    const auto look = [this, &name, minor = names.minor] { return waiting_ublk(name, minor); };
    std::optional<ublk::Record> waiting = co_await off_thread(reactor_, look);
    ublk::Options options;
    options.queues = options_.ublk_queues;
    options.depth = options_.ublk_depth;
    options.survives = options_.survive;
    options.features = ublk_features_;
    by_ublk =
        std::make_unique<ublk::UblkAttachment>(reactor_, *control_, volume, reactor_.buffers(),
                                               options, name, names.minor, std::move(waiting));
  }
  if (ways_.fuse) {
    const auto look = [this, &name, minor = names.minor] { return waiting_loop(name, minor); };
    std::optional<LoopRecord> waiting = co_await off_thread(reactor_, look);
    const VolumeMounts mounts{reactor_, *volume_buffers_, keeper_, options_.survive};
    by_fuse = std::make_unique<FuseLoopAttachment>(mounts, volume, reactor_.buffers(), name,
                                                   names.minor, std::move(waiting));
  }
  if (by_ublk && by_fuse)
    co_return std::make_unique<FallbackAttachment>(std::move(by_ublk), std::move(by_fuse));
  if (by_ublk) co_return std::move(by_ublk);
  co_return std::move(by_fuse);
}

Task<Result<std::unique_ptr<KernelDevice>>> KernelDevices::create(io::BlockDevice& volume,
                                                                  DeviceNames names) {
  std::unique_ptr<Attachment> way = co_await attachment(volume, names);
  co_return co_await KernelDevice::create(reactor_, std::move(way), std::move(names));
}

Task<void> KernelDevices::give_up_waiting(std::string resource) {
  const auto work = [this, &resource] {
    for (const ublk::Record& record : ublk::read_records()) {
      const std::size_t dash = record.volume.rfind('-');
      if (record.volume.substr(0, dash) != resource) continue;
      end(*control_, record, ublk::look_at(*control_, record));
    }
    for (const LoopRecord& record : read_loop_records())
      if (record.volume.substr(0, record.volume.rfind('-')) == resource) let_go(keeper_, record);
    return true;
  };
  co_await off_thread(reactor_, work);
}

}  // namespace replicator::shim
