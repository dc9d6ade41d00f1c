#include "anticipation/settings.h"

#include "anticipation/ensemble.h"
#include "anticipation/reference_rules.h"
#include "anticipation/slot_grammar.h"
#include "sampling/filters.h"

namespace midinf {

Result<void> check_settings(const Settings& settings) {
  static_cast<void>(settings);
  return {};
}

std::vector<std::shared_ptr<const LogitProcessor>> make_processors(const Settings& settings) {
  std::vector<std::shared_ptr<const LogitProcessor>> chain;
  if (settings.reference)
    chain.push_back(std::make_shared<ReferenceRules>());
  else
    chain.push_back(std::make_shared<SlotGrammar>());
  if (!settings.ensemble.empty()) chain.push_back(std::make_shared<Ensemble>(settings.ensemble));
  chain.insert(chain.end(), settings.processors.begin(), settings.processors.end());
  chain.push_back(std::make_shared<Temperature>(settings.temperature));
  chain.push_back(std::make_shared<TopP>(settings.top_p));
  return chain;
}

}  // namespace midinf
