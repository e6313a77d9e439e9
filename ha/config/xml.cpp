// The only place that knows the XML library.
#include "ha/config/xml.hpp"

#include <pugixml.hpp>

namespace ha::config {
namespace {

using replicator::failure;
using replicator::Fault;

bool copy(const pugi::xml_node& from, Element& to, int depth) {
  if (depth > max_xml_depth) return false;
  to.name = from.name();
  for (const pugi::xml_attribute& attribute : from.attributes()) {
    to.attributes.emplace_back(attribute.name(), attribute.value());
  }
  for (const pugi::xml_node& node : from.children()) {
    if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata)
      to.text += node.value();
    if (node.type() != pugi::node_element) continue;
    to.children.emplace_back();
    if (!copy(node, to.children.back(), depth + 1)) return false;
  }
  return true;
}

void escape(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\n': out += "&#10;"; break;
      case '\t': out += "&#9;"; break;
      case '\r': out += "&#13;"; break;
      default: out += c;
    }
  }
}

void format(const Element& element, std::size_t depth, std::string& out) {
  out.append(2 * depth, ' ');
  out += '<';
  out += element.name;
  for (const auto& [key, value] : element.attributes) {
    out += ' ';
    out += key;
    out += "=\"";
    escape(value, out);
    out += '"';
  }
  if (element.children.empty() && element.text.empty()) {
    out += "/>\n";
    return;
  }
  out += '>';
  escape(element.text, out);
  if (!element.children.empty()) {
    out += '\n';
    for (const Element& child : element.children)
      format(child, depth + 1, out);
    out.append(2 * depth, ' ');
  }
  out += "</" + element.name + ">\n";
}

}  // namespace

replicator::Result<Element> parse_xml(std::string_view text) {
  if (text.size() > max_xml_bytes) return failure(Fault::malformed, "configuration is too large");
  pugi::xml_document document;
  if (!document.load_buffer(text.data(), text.size(),
                            pugi::parse_default | pugi::parse_trim_pcdata)) {
    return failure(Fault::malformed, "not well-formed XML");
  }
  Element root;
  if (!copy(document.document_element(), root, 0)) {
    return failure(Fault::malformed, "elements are nested too deeply");
  }
  if (root.name.empty()) return failure(Fault::malformed, "no element");
  return root;
}

std::string format_xml(const Element& root) {
  std::string out;
  format(root, 0, out);
  return out;
}

}  // namespace ha::config
