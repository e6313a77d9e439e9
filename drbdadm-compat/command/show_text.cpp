#include "command/show_text.hpp"

#include <fmt/format.h>

#include <string_view>

#include "control/option_table.hpp"

namespace replicator::command {
namespace {

using control::PrintedOption;

// Always in quotes, as DRBD writes texts.
std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string indent(unsigned depth) { return std::string(std::size_t{depth} * 4, ' '); }

// Unit, whether it is the default, and where that is not DRBD's: only a remark, which whoever reads
// drbd.conf passes over.
std::string remarks_on(const PrintedOption& printed) {
  const control::Option& option = *printed.option;
  std::string remarks(option.unit_text);
  const auto add = [&remarks](std::string_view remark) {
    if (!remarks.empty()) remarks += ", ";
    remarks += remark;
  };
  if (printed.is_default) add("default");
  if (printed.is_default && option.drbd_preset) {
    add("DRBD has " + control::option_text(option, {*option.drbd_preset, {}}));
  }
  if (option.ours) add("not an option of DRBD");
  return remarks;
}

std::string option_lines(const std::vector<PrintedOption>& options, unsigned depth) {
  std::string text;
  for (const PrintedOption& printed : options) {
    const bool text_value = printed.option->type == control::OptionType::text;
    const std::string value = text_value ? quoted(printed.text) : printed.text;
    text += fmt::format("{}{:<16}\t{};", indent(depth), printed.option->name, value);
    const std::string remarks = remarks_on(printed);
    if (!remarks.empty()) text += " # " + remarks;
    text += "\n";
  }
  return text;
}

std::string block(std::string_view name, const std::vector<PrintedOption>& options, unsigned depth,
                  bool even_empty) {
  if (options.empty() && !even_empty) return {};
  return indent(depth) + std::string(name) + " {\n" + option_lines(options, depth + 1) +
         indent(depth) + "}\n";
}

// "ipv4:10.0.0.1:7789" is written `ipv4 10.0.0.1:7789` in drbd.conf.
std::string address_line(const io::Address& address, unsigned depth) {
  std::string text = control::address_text(address);
  const std::size_t colon = text.find(':');
  if (colon != std::string::npos) text[colon] = ' ';
  return indent(depth) + "address\t\t\t" + text + ";\n";
}

std::string meta_disk(const BackingConfig& backing) {
  const std::string path = quoted(backing.meta_disk_path);
  switch (backing.meta_index.kind) {
    case MetaDiskIndex::Kind::internal: return "internal";
    case MetaDiskIndex::Kind::flexible: return path;
    case MetaDiskIndex::Kind::indexed: break;
  }
  return path + " [ " + std::to_string(backing.meta_index.slot) + " ]";
}

std::string volume_block(const control::VolumeShow& volume, bool show_defaults) {
  std::string text = fmt::format("{}volume {} {{\n{}device\t\t\tminor {};\n", indent(2),
                                 volume.volume, indent(3), volume.minor);
  if (volume.backing) {
    text += indent(3) + "disk\t\t\t" + quoted(volume.backing->disk_path) + ";\n";
    text += indent(3) + "meta-disk\t\t\t" + meta_disk(*volume.backing) + ";\n";
    text += block("disk", control::print_options(volume.disk, show_defaults), 3, false);
  }
  return text + indent(2) + "}\n";
}

}  // namespace

std::string show_text(const control::ResourceShow& resource, bool show_defaults) {
  std::string text = "resource " + resource.name + " {\n";
  text += block("options", control::print_options(resource.options, show_defaults), 1, true);
  if (resource.has_connection) {
    text += block("net", control::print_options(resource.net, show_defaults), 1, true);
    text +=
        indent(1) + "_remote_host {\n" + address_line(resource.peer.peer, 2) + indent(1) + "}\n";
  }
  text += indent(1) + "_this_host {\n";
  if (resource.has_connection) text += address_line(resource.peer.local, 2);
  for (const control::VolumeShow& volume : resource.volumes) {
    text += volume_block(volume, show_defaults);
  }
  return text + indent(1) + "}\n}\n\n";
}

}  // namespace replicator::command
