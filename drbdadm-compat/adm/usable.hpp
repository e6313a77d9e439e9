// Whether a resource of the configuration can run on this node; if not, standard error says why.
#pragma once

#include "adm/context.hpp"

namespace replicator::adm {

bool usable(const Context& context, const config::LocalResource& resource);
// The same, and our address is that of an interface here. Not looked at with
// `disable-ip-verification`, nor when nothing is really done.
bool can_connect(const Context& context, const config::LocalResource& resource);

}  // namespace replicator::adm
