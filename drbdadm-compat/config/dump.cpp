#include "config/dump.hpp"

#include <array>

namespace replicator::config {
namespace {

constexpr std::size_t name_width = 16;
constexpr std::size_t narrow_name_width = 12;  // inside volume blocks
constexpr std::size_t value_width = 3;

class Writer {
 public:
  void open(const std::string& head) {
    line(head + " {");
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }
  void line(const std::string& text) { text_ += std::string(depth_ * 4, ' ') + text + "\n"; }
  void blank() { text_ += "\n"; }
  // "name             value;": both columns padded.
  void pair(std::string name, std::string value, std::size_t width = name_width) {
    if (name.size() < width) name.resize(width, ' ');
    if (value.size() < value_width) value.insert(0, value_width - value.size(), ' ');
    line(name + " " + value + ";");
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::size_t depth_ = 0;
};

bool is_flag(OptionSection kind, const std::string& name) {
  const auto* option = control::find_option(kind, name);
  return option != nullptr && option->type == control::OptionType::flag;
}

// Several host names are several words, not one quoted string.
std::string value_text(const Setting& setting) {
  return setting.name == "become-primary-on" ? setting.value : quoted(setting.value);
}

void write_settings(Writer& out, OptionSection kind, const Section& section) {
  for (const Setting& setting : section.settings) {
    if (is_flag(kind, setting.name)) {
      out.line(setting.name + ";");
    } else {
      out.pair(setting.name, value_text(setting));
    }
  }
}

// In an order of their own, and with one blank, as ever.
constexpr std::array global_order{
    "disable-ip-verification", "minor-count",        "dialog-refresh",   "usage-count",
    "cmd-timeout-short",       "cmd-timeout-medium", "cmd-timeout-long", "udev-always-use-vnr"};

void write_global(Writer& out, const Section& global) {
  out.open("global");
  for (const char* name : global_order) {
    const Setting* setting = global.find(name);
    if (setting == nullptr) continue;
    const bool flag = is_flag(OptionSection::global, name);
    out.line(setting->name + (flag ? std::string() : " " + quoted(setting->value)) + ";");
  }
  out.close();
  out.blank();
}

void write_section(Writer& out, const char* word, OptionSection kind, const Section& section) {
  if (section.settings.empty()) return;
  out.open(word);
  write_settings(out, kind, section);
  out.close();
}

void write_sections(Writer& out, const Sections& sections) {
  for (const NamedSection& each : shown_order) {
    write_section(out, each.word, each.kind, sections.of(each.kind));
  }
}

std::string address_value(const Address& address) {
  return address.family + " " + address.endpoint();
}

std::string device_value(const Device& device) {
  if (!device.named) return "minor " + std::to_string(device.minor);
  return quoted(device.name) + " minor " + std::to_string(device.minor);
}

void write_volume_statements(Writer& out, const Volume& volume, std::size_t width) {
  if (volume.device) out.pair("device", device_value(*volume.device), width);
  if (volume.disk) out.pair("disk", quoted(*volume.disk), width);
  if (volume.meta_disk) {
    std::string value = quoted(volume.meta_disk->device);
    if (volume.meta_disk->slot) value += " [" + std::to_string(*volume.meta_disk->slot) + "]";
    out.pair("meta-disk", value, volume.meta_disk->internal() ? width : name_width);
  }
}

void write_volume(Writer& out, const Volume& volume) {
  if (volume.implicit) {
    write_volume_statements(out, volume, name_width);
    return;
  }
  out.open("volume " + std::to_string(volume.number));
  write_volume_statements(out, volume, narrow_name_width);
  write_section(out, "disk", OptionSection::disk, volume.sections.of(OptionSection::disk));
  out.close();
}

void write_host(Writer& out, const Resource& resource, const Host& host) {
  std::string head =
      host.stacked_on.empty() ? "on" : "stacked-on-top-of " + quoted(host.stacked_on);
  if (host.floating) head = "floating " + address_value(*host.address);
  if (!host.floating && host.stacked_on.empty()) {
    for (const std::string& name : host.names)
      head += " " + quoted(name);
  }
  out.open(head);
  if (!host.stacked_on.empty()) {
    std::string on = "# on";
    for (const std::string& name : host.names)
      on += " " + name;
    out.line(on);
  }
  write_section(out, "options", OptionSection::resource, host.sections.of(OptionSection::resource));
  write_section(out, "disk", OptionSection::disk, host.sections.of(OptionSection::disk));
  for (const Volume& volume : effective_volumes(resource, host))
    write_volume(out, volume);
  if (host.address && !host.floating) out.pair("address", address_value(*host.address));
  if (host.node_id) out.pair("node-id", std::to_string(*host.node_id));
  out.close();
}

void write_connection_hosts(Writer& out, const std::vector<ConnectionHost>& hosts) {
  for (const ConnectionHost& host : hosts) {
    std::string text = "host " + quoted(host.name);
    if (host.address) text += " address " + address_value(*host.address);
    if (host.port) text += " port " + std::to_string(*host.port);
    out.line(text + ";");
  }
}

void write_connection(Writer& out, const Connection& connection) {
  out.open(connection.mesh ? "connection-mesh" : "connection");
  if (connection.mesh && !connection.hosts.empty()) {
    std::string text = "hosts";
    for (const ConnectionHost& host : connection.hosts)
      text += " " + quoted(host.name);
    out.line(text + ";");
  } else {
    write_connection_hosts(out, connection.hosts);
  }
  for (const auto& path : connection.paths) {
    out.open("path");
    write_connection_hosts(out, path);
    out.close();
  }
  for (const Volume& volume : connection.volumes)
    write_volume(out, volume);
  write_sections(out, connection.sections);
  out.close();
}

std::string stacking(const LocalResource& local) {
  return local.stacked ? "stacked" : "not stacked";
}

void write_resource(Writer& out, const LocalResource& local, const std::string& node,
                    const Sections& sections) {
  const Resource& resource = *local.resource;
  out.line("# resource " + resource.name + " on " + node + ": " +
           (local.ignored() && !local.stacked ? "ignored" : "not ignored") + ", " +
           stacking(local));
  out.line("# defined at " + text(Place{resource.file, resource.place.line}));
  out.open("resource " + quoted(resource.name));
  for (const Host& host : resource.hosts)
    write_host(out, resource, host);
  if (resource.hosts.empty()) {
    for (const Volume& volume : resource.volumes)
      write_volume(out, volume);
  }
  for (const std::string& host : resource.ignore_on)
    out.pair("ignore-on", quoted(host));
  write_sections(out, sections);
  for (const Connection& connection : resource.connections)
    write_connection(out, connection);
  out.close();
  out.blank();
}

}  // namespace

std::string quoted(const std::string& value) {
  bool plain = !value.empty();
  for (const char c : value) {
    plain = plain && ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '/' || c == '.' || c == '_' || c == '-');
  }
  if (plain && value.size() <= 128) return value;
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

Sections shown_sections(const LocalResource& local, DumpStyle style) {
  if (style == DumpStyle::as_written) return local.resource->sections;
  Sections merged;
  merged.of(OptionSection::resource) = local.options;
  merged.of(OptionSection::net) = local.net;
  merged.of(OptionSection::disk) = local.disk;
  merged.of(OptionSection::startup) = local.startup;
  merged.of(OptionSection::handlers) = local.handlers;
  return merged;
}

std::string dump(const Config& config, const std::vector<LocalResource>& locals,
                 const std::string& node, DumpStyle style) {
  Writer out;
  out.line("# " + config.path);
  if (!config.global.settings.empty()) write_global(out, config.global);
  if (config.common_opened) {
    out.open("common");
    write_sections(out, config.common);
    out.close();
    out.blank();
  }
  for (const LocalResource& local : locals)
    write_resource(out, local, node, shown_sections(local, style));
  return out.take();
}

std::string dump_resource(const LocalResource& local, const std::string& node, DumpStyle style) {
  Writer out;
  write_resource(out, local, node, shown_sections(local, style));
  return out.take();
}

}  // namespace replicator::config
