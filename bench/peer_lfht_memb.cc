// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#define _LGPL_SOURCE
#define RCU_MEMB
#include <urcu.h>

#include "lfht.h"

namespace bench
{

template <class K> std::unique_ptr<Peer<K>> make_lfht_memb()
{
	return std::make_unique<Lfht<K>>();
}

template std::unique_ptr<Peer<Key16>> make_lfht_memb();
template std::unique_ptr<Peer<KeyText>> make_lfht_memb();

} // namespace bench
