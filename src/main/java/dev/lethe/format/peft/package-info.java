/** Adapter folders of PEFT: {@code adapter_config.json}, which modules it means, and their factors. */
package dev.lethe.format.peft;
