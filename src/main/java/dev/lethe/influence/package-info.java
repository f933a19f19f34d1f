/** Which training rows help or harm a query: gradients through an inverse curvature. */
package dev.lethe.influence;
