#include "midi/channels.h"

#include <algorithm>
#include <tuple>

namespace midinf {
namespace {

constexpr int key_of(int channel, int instrument, int pitch) {
  return (instrument * 128 + pitch) * kChannels + channel;
}

}  // namespace

int Channels::open_notes(int channel, int instrument, int pitch) const {
  const auto found = prompt_open_.find(key_of(channel, instrument, pitch));
  return found == prompt_open_.end() ? 0 : found->second;
}

Channels::Channel& Channels::of_prompt(const Message& message) {
  Channel& channel = channels_[message.channel];
  channel.heard = true;
  channel.program = std::max(channel.program, 0);  // the program before the first change
  return channel;
}

void Channels::expect(const Message& message) {
  if (message.on_channel()) ++of_prompt(message).expected;
}

int Channels::hear(const Message& message) {
  if (!message.on_channel()) return kNothing;
  Channel& channel = of_prompt(message);
  channel.expected = std::max<std::int64_t>(channel.expected - 1, 0);
  channel.last_event = events_++;
  const int instrument = message.channel == kDrumChannel ? kDrums : channel.program;
  const int key = key_of(message.channel, instrument, message.first);
  switch (message.kind) {
    case Message::Kind::kNoteOn:
      ++prompt_open_[key];
      ++channel.prompt_open[instrument];
      ++channel.open;
      ++channel.open_pitches[message.first];
      break;
    case Message::Kind::kNoteOff:
      if (open_notes(message.channel, instrument, message.first) == 0) break;
      --prompt_open_[key];
      --channel.prompt_open[instrument];
      --channel.open;
      --channel.open_pitches[message.first];
      return instrument;
    case Message::Kind::kProgram:
      channel.program = message.first;
      break;
    case Message::Kind::kController:
      channel.touched.set(message.first);
      break;
    default:
      channel.touched.set(kExpression);
  }
  return kNothing;
}

Channels::Place Channels::start(int instrument, std::uint8_t pitch) {
  Player& player = players_[instrument];
  const auto at_home = [&] {
    return player.channel != kNothing && channels_[player.channel].owner == instrument &&
           channels_[player.channel].expected == 0;
  };
  if (player.open == 0 && !at_home()) {
    player.channel = instrument == kDrums ? kDrumChannel : choose(instrument, pitch);
    channels_[player.channel].owner = instrument;
  }
  Channel& channel = channels_[player.channel];
  if (instrument != kDrums) {
    if (channel.open != player.open) ++crowded_notes_;
    borrowed_ |= channel.expected != 0;
  }
  ++player.open;
  ++channel.open;
  ++channel.open_pitches[pitch];
  return place(player.channel, instrument);
}

Channels::Place Channels::stop(int instrument, std::uint8_t pitch) {
  Player& player = players_[instrument];
  Channel& channel = channels_[player.channel];
  --player.open;
  --channel.open;
  --channel.open_pitches[pitch];
  return place(player.channel, instrument);
}

// A silent channel that is nobody's, else the longest silent, so that its releases have died away; if none is silent,
// one where the same key does not sound (a note-off would end both), then the least busy. Never, if it can be helped,
// one where the prompt holds notes of the same instrument: a note-off of ours might end one of them.
int Channels::choose(int instrument, std::uint8_t pitch) const {
  const auto cost = [&](int c) {
    const Channel& channel = channels_[c];
    return std::tuple(channel.prompt_open[instrument] != 0, channel.open_pitches[pitch] != 0, channel.open,
                      channel.expected != 0, channel.owner != kNothing, channel.heard, channel.last_event);
  };
  int best = 0;
  for (int c = 1; c < kChannels; ++c)
    if (c != kDrumChannel && cost(c) < cost(best)) best = c;
  return best;
}

Channels::Place Channels::place(int index, int instrument) {
  Channel& channel = channels_[index];
  Place result{.channel = index};
  const bool borrowed = channel.expected != 0;
  if (!borrowed && !channel.reset && channel.touched.any()) {
    channel.reset = result.reset = true;
    if (instrument != kDrums) channel.program = kNothing;  // a bank acts with the next program change
  }
  const bool kit_stays = instrument == kDrums && channel.heard;
  const int program = instrument == kDrums ? 0 : instrument;
  if (channel.program != program && !kit_stays) {
    result.program = program;
    result.at_start = channel.last_event == kNothing && !channel.heard;
    if (borrowed)
      result.restored = channel.program;
    else
      channel.program = program;
  }
  channel.last_event = events_++;
  return result;
}

}  // namespace midinf
