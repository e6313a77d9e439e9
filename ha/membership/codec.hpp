// Packets of heartbeat 3, as bytes. What is sent is the netstring form with both signatures; what
// is accepted is that form with or without the inner one, and the older form in lines.
//   H15  a packet whose signature no listed key made is refused before anything in it counts
#pragma once

#include <string>
#include <string_view>

#include "ha/membership/authentication.hpp"
#include "ha/membership/message.hpp"

namespace ha::membership {

// The packet for the wire.
std::string seal(const Message& message, const AuthKeys& keys);

// Fault::authentication: no valid signature. Fault::malformed, Fault::out_of_range (too many or too
// long fields): it does not parse; where() says what. The field "auth" is not part of the result.
Result<Message> open(std::string_view packet, const AuthKeys& keys);

// The older form without signature, for tests and for what is sent on the local socket.
std::string encode_lines(const Message& message);

// Of what the inner signature covers: "name=value\n" for each field but "auth".
std::string signed_lines(const Message& message);

}  // namespace ha::membership
