#include "config/dump_xml.hpp"

namespace replicator::config {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&apos;"; break;
      default: result += c;
    }
  }
  return result;
}

std::string attribute(const char* name, const std::string& value) {
  return " " + std::string(name) + "=\"" + escaped(value) + "\"";
}

class Writer {
 public:
  void open(const std::string& name, const std::string& attributes = {}) {
    line("<" + name + attributes + ">");
    ++depth_;
  }
  void close(const std::string& name) {
    --depth_;
    line("</" + name + ">");
  }
  void line(const std::string& text) { text_ += std::string(depth_ * 4, ' ') + text + "\n"; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::size_t depth_ = 0;
};

std::string element(const std::string& name, const std::string& attributes,
                    const std::string& content) {
  return "<" + name + attributes + ">" + escaped(content) + "</" + name + ">";
}

void write_global(Writer& out, const Section& global) {
  const Setting* unchecked = global.find("disable-ip-verification");
  const Setting* minors = global.find("minor-count");
  const Setting* refresh = global.find("dialog-refresh");
  if (unchecked == nullptr && minors == nullptr && refresh == nullptr) return;
  out.open("global");
  if (unchecked != nullptr) out.line("<disable-ip-verification/>");
  if (minors != nullptr) out.line("<minor-count" + attribute("count", minors->value) + "/>");
  if (refresh != nullptr) out.line("<dialog-refresh" + attribute("refresh", refresh->value) + "/>");
  out.close("global");
}

void write_sections(Writer& out, const Sections& sections) {
  for (const NamedSection& each : shown_order) {
    const Section& section = sections.of(each.kind);
    if (section.settings.empty()) continue;
    out.open("section", attribute("name", each.word));
    for (const Setting& setting : section.settings) {
      out.line("<option" + attribute("name", setting.name) + attribute("value", setting.value) +
               "/>");
    }
    out.close("section");
  }
}

std::string address_element(const Address& address) {
  return element(
      "address",
      attribute("family", address.family) + attribute("port", std::to_string(address.port)),
      address.ip);
}

void write_volume(Writer& out, const Volume& volume, bool stacked) {
  out.open("volume", attribute("vnr", std::to_string(volume.number)));
  write_sections(out, volume.sections);
  if (volume.device) {
    out.line(element("device", attribute("minor", std::to_string(volume.device->minor)),
                     volume.device->named ? volume.device->name : std::string()));
  }
  if (volume.disk || stacked) out.line(element("disk", {}, volume.disk.value_or("")));
  const MetaDisk meta = volume.meta_disk.value_or(MetaDisk{"internal", {}});
  out.line(element("meta-disk",
                   meta.slot ? attribute("index", std::to_string(*meta.slot)) : std::string(),
                   meta.device));
  out.close("volume");
}

void write_host(Writer& out, const Resource& resource, const Host& host) {
  std::string names;
  for (const std::string& name : host.names)
    names += (names.empty() ? "" : " ") + name;
  out.open("host", host.floating ? attribute("floating", "1") : attribute("name", names));
  write_sections(out, host.sections);
  for (const Volume& volume : effective_volumes(resource, host))
    write_volume(out, volume, !host.stacked_on.empty());
  if (host.address) out.line(address_element(*host.address));
  out.close("host");
}

void write_connection_hosts(Writer& out, const Resource& resource,
                            const std::vector<ConnectionHost>& hosts) {
  for (const ConnectionHost& line : hosts) {
    std::optional<Address> address = line.address;
    if (!address) address = address_of(resource, line.name);
    if (address && line.port) address->port = *line.port;
    out.line("<host" + attribute("name", line.name) + ">" +
             (address ? address_element(*address) : std::string()) + "</host>");
  }
}

void write_connection(Writer& out, const Resource& resource, const Connection& connection) {
  out.open("connection");
  write_connection_hosts(out, resource, connection.hosts);
  for (const auto& path : connection.paths) {
    out.open("path");
    write_connection_hosts(out, resource, path);
    out.close("path");
  }
  for (const Volume& volume : connection.volumes) {
    out.open("volume", attribute("vnr", std::to_string(volume.number)));
    write_sections(out, volume.sections);
    out.close("volume");
  }
  write_sections(out, connection.sections);
  out.close("connection");
}

void write_resource(Writer& out, const LocalResource& local, DumpStyle style) {
  const Resource& resource = *local.resource;
  out.open("resource",
           attribute("name", resource.name) +
               attribute("conf-file-line", text(Place{resource.file, resource.place.line})));
  for (const Host& host : resource.hosts)
    write_host(out, resource, host);
  for (const Connection& connection : resource.connections)
    write_connection(out, resource, connection);
  write_sections(out, shown_sections(local, style));
  out.close("resource");
}

}  // namespace

std::string dump_xml(const Config& config, const std::vector<LocalResource>& locals,
                     DumpStyle style) {
  Writer out;
  out.open("config", attribute("file", config.path));
  write_global(out, config.global);
  if (config.common_opened) {
    out.open("common");
    write_sections(out, config.common);
    out.close("common");
  }
  for (const LocalResource& local : locals)
    write_resource(out, local, style);
  out.close("config");
  return out.take();
}

std::string dump_xml_resource(const LocalResource& local, DumpStyle style) {
  Writer out;
  write_resource(out, local, style);
  return out.take();
}

}  // namespace replicator::config
