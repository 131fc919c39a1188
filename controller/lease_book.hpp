// LeaseBook: who got which address, told to people as an event and kept for `ports`.
#pragma once
#include "controller/address_services.hpp"
#include "controller/intent.hpp"
#include "controller/seldom.hpp"

namespace weft::controller {

class LeaseBook {
  public:
    LeaseBook(Intent& intent, Voice voice) : intent_(intent), voice_(voice) {}

    /// Renewals are kept and not told, nor is a guest's every change of mind. A declined address may cost a rebuild
    /// (Intent::decline).
    void note(const LeaseNews& news);

  private:
    Intent& intent_;
    Voice voice_;
    Seldom<topology::AttachmentKey> seldom_{6};
};

/// "12h", "90s": the largest unit that loses nothing.
std::string short_duration(std::chrono::seconds duration);

} // namespace weft::controller
