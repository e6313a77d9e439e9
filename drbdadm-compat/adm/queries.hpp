// Verbs that only tell: dump, and the line-oriented sh-* commands that scripts read.
#pragma once

#include "adm/context.hpp"

namespace replicator::adm {

int verb_dump(const Context& context, const std::vector<Target>& targets);
int verb_dump_xml(const Context& context, const std::vector<Target>& targets);
int verb_sh_nop(const Context& context, const std::vector<Target>& targets);
int verb_sh_resources(const Context& context, const std::vector<Target>& targets);
int verb_sh_resource(const Context& context, const Target& target);
int verb_sh_mod_parms(const Context& context, const std::vector<Target>& targets);
int verb_sh_ip(const Context& context, const config::LocalResource& resource,
               const config::LocalVolume& volume);
int verb_sh_lr_of(const Context& context, const Target& target);
int verb_sh_dev(const Context& context, const config::LocalResource& resource,
                const config::LocalVolume& volume);
int verb_sh_minor(const Context& context, const config::LocalResource& resource,
                  const config::LocalVolume& volume);
int verb_sh_ll_dev(const Context& context, const config::LocalResource& resource,
                   const config::LocalVolume& volume);
int verb_sh_md_dev(const Context& context, const config::LocalResource& resource,
                   const config::LocalVolume& volume);
int verb_sh_md_idx(const Context& context, const config::LocalResource& resource,
                   const config::LocalVolume& volume);
int verb_sh_udev(const Context& context, const config::LocalResource& resource,
                 const config::LocalVolume& volume);

}  // namespace replicator::adm
